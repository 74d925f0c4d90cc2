"""Who asks what right now, so that processes that share a ledger ask each question once.

Trade-off: claims are taken a few hundred at a time, in one commit, and kept alive by one row a process; a process
that died on another machine is noticed only when its sign of life is old, and what it claimed waits so long.
"""

import os
import socket
import time
import uuid
from collections.abc import Sequence

from cotpd.llm.ledger import Ledger

LAPSE = 30.0  # seconds without a sign of life after which an asker counts as dead
_MOST_KEYS = 500  # in one statement


class Claims:
    """The claims of one asker; several may be open on one ledger, in as many processes.

    Args:
        ledger: The ledger that they share.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.name = asker_name()
        self._last = 0.0

    def take(self, keys: Sequence[str]) -> set[str]:
        """Claim keys; returns those that are now ours. The others are being asked by somebody who is alive."""
        now = time.time()
        gone = [(name,) for name, seen in self._ledger.read("SELECT * FROM asker") if is_dead(name, now - seen)]
        self._ledger.change(
            (
                "INSERT INTO asker VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET seen = excluded.seen",
                (self.name, now),
            ),
            *(("DELETE FROM claim WHERE asker = ?", name) for name in gone),
            *(("DELETE FROM asker WHERE name = ?", name) for name in gone),
            *(
                ("INSERT INTO claim VALUES (?, ?) ON CONFLICT DO NOTHING", (key, self.name))
                for key in sorted(keys)
            ),
        )
        self._last = now
        mine: set[str] = set()
        for start in range(0, len(keys), _MOST_KEYS):
            some = keys[start : start + _MOST_KEYS]
            sql = f"SELECT key FROM claim WHERE asker = ? AND key IN ({','.join('?' * len(some))})"
            mine |= {key for (key,) in self._ledger.read(sql, (self.name, *some))}
        return mine

    def keep(self) -> None:
        """Show a sign of life, if the last one is old enough to matter."""
        if time.time() - self._last > LAPSE / 5:
            self._last = time.time()
            self._ledger.change(("UPDATE asker SET seen = ? WHERE name = ?", (self._last, self.name)))

    def close(self) -> None:
        """Give everything back."""
        self._ledger.change(
            ("DELETE FROM claim WHERE asker = ?", (self.name,)), ("DELETE FROM asker WHERE name = ?", (self.name,))
        )


def asker_name() -> str:
    """A name for an asker of this process, as no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def is_dead(name: str, silent: float, lapse: float = LAPSE) -> bool:
    """Whether an asker is: silent for too many seconds, or a process of this machine that has ended."""
    host, pid, _ = name.rsplit(":", 2)
    if silent > lapse or host != socket.gethostname():
        return silent > lapse
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # somebody else's, and alive
    return False
