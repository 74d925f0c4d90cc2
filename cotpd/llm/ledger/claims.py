"""Who asks what right now, so that processes that share a ledger ask each question once.

Trade-off: claims are taken a few hundred at a time, in one commit, and kept alive by one row a process. On this
machine the process itself tells whether it lives, suspended or not; one that died on another machine is noticed
only when its sign of life is old by the database's clock, and what it claimed waits so long.
"""

import time
from collections.abc import Sequence

from cotpd.liveness import LAPSE, is_dead, name_process
from cotpd.llm.ledger.ledger import Ledger


class Claims:
    """The claims of one asker; several may be open on one ledger, in as many processes.

    Args:
        ledger: The ledger that they share.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.name = name_process()
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
