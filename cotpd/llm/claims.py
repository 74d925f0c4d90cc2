"""Who asks what right now, so that processes that share a ledger ask each question once.

Trade-off: claims are taken a few hundred at a time, in one commit, and kept alive by one row a process. On this
machine the process itself tells whether it lives, suspended or not; one that died on another machine is noticed
only when its sign of life is old by the database's clock, and what it claimed waits so long.
"""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

from cotpd.llm.ledger import Ledger

LAPSE = 30.0  # seconds without a sign of life after which an asker counts as dead


class Claims:
    """The claims of one asker; several may be open on one ledger, in as many processes.

    Args:
        ledger: The ledger that they share.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.name = asker_name()
        self._last: float | None = None

    def take(self, keys: Sequence[str]) -> set[str]:
        """Claim keys; returns those that are now ours. The others are being asked by somebody who is alive."""
        askers = self._ledger.read(f"SELECT name, {self._ledger.clock} - seen FROM asker")
        gone = [(name,) for name, silent in askers if is_dead(name, silent)]
        alive = (
            f"INSERT INTO asker VALUES (?, {self._ledger.clock}) "
            "ON CONFLICT (name) DO UPDATE SET seen = excluded.seen"
        )
        self._ledger.change(
            (alive, (self.name,)),
            *(("DELETE FROM claim WHERE asker = ?", name) for name in gone),
            *(("DELETE FROM asker WHERE name = ?", name) for name in gone),
            *(
                ("INSERT INTO claim VALUES (?, ?) ON CONFLICT DO NOTHING", (key, self.name))
                for key in sorted(keys)
            ),
        )
        self._last = time.monotonic()
        mine = self._ledger.among("SELECT key FROM claim WHERE asker = ? AND key", keys, (self.name,))
        return {key for (key,) in mine}

    def keep(self) -> None:
        """Show a sign of life, if the last one is old enough to matter."""
        if self._last is not None and time.monotonic() - self._last > LAPSE / 5:
            self._last = time.monotonic()
            self._ledger.change((f"UPDATE asker SET seen = {self._ledger.clock} WHERE name = ?", (self.name,)))

    def close(self) -> None:
        """Give everything back."""
        if self._last is not None:  # somebody who claimed nothing waits for no other's commit
            self._last = None
            self._ledger.change(
                ("DELETE FROM claim WHERE asker = ?", (self.name,)),
                ("DELETE FROM asker WHERE name = ?", (self.name,)),
            )


def asker_name() -> str:
    """A name for an asker of this process, as no other has: host, process, when that began, and a random end."""
    _, began = _process(os.getpid())
    return f"{socket.gethostname()}:{os.getpid()}:{began}-{uuid.uuid4().hex[:8]}"


def is_dead(name: str, silent: float, lapse: float = LAPSE) -> bool:
    """Whether an asker is.

    Of this machine's, a process that has ended is dead and one that is there alive, however long it was suspended.
    Of others, and of a process that may be another by the same number, whoever was silent for ``lapse`` seconds.
    """
    host, pid, rest = name.rsplit(":", 2)
    if host != socket.gethostname():
        return silent > lapse
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, and alive
    state, began = _process(int(pid))
    if state in ("Z", "X"):  # ended, and its parent has not looked yet
        return True
    then, known, _ = rest.partition("-")  # names of earlier versions do not say when
    return silent > lapse and not (known and then == began)


def _process(pid: int) -> tuple[str, str]:
    """A process's state and when it began, in Linux' words; empty where nobody tells."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "", ""
    values = said.rpartition(")")[2].split()  # its name, in brackets before, may hold anything
    return values[0], values[19]
