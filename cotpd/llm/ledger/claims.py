"""Claims: processes that share a ledger ask each request once, because each claims a request before it asks.

Owns the tables ``claim`` (key, asker) and ``asker`` (name, time of its last heartbeat).

Trade-off: requests are claimed a few hundred at a time in one commit, and one row a process keeps all its claims
alive. On this machine the operating system says whether a process lives, suspended or not. A process that died on
another machine is noticed only when its heartbeat is old by the database's clock; its claims block until then.
"""

import time
from collections.abc import Sequence

from cotpd.liveness import LAPSE, is_dead, name_process
from cotpd.llm.ledger.database import Database

_HEARTBEATS_PER_LAPSE = 5


class Claims:
    """The claims of one asker; several askers may be open on one database, in as many processes.

    Args:
        database: The ledger's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.name = name_process()
        self._last_heartbeat: float | None = None  # monotonic seconds; None while nothing is claimed

    def claim(self, keys: Sequence[str]) -> set[str]:
        """Claim keys and return those that are ours now; a living process is asking each of the others."""
        clock = self._database.clock
        heartbeat = f"INSERT INTO asker VALUES (?, {clock}) ON CONFLICT (name) DO UPDATE SET seen = excluded.seen"
        dead = self._list_dead_askers()
        self._database.change(
            (heartbeat, (self.name,)),
            *(("DELETE FROM claim WHERE asker = ?", (name,)) for name in dead),
            *(("DELETE FROM asker WHERE name = ?", (name,)) for name in dead),
            *(
                ("INSERT INTO claim VALUES (?, ?) ON CONFLICT DO NOTHING", (key, self.name))
                for key in sorted(keys)  # in one order everywhere, or two processes could deadlock
            ),
        )
        self._last_heartbeat = time.monotonic()
        rows = self._database.read_by_key("SELECT key FROM claim WHERE asker = ? AND key", keys, (self.name,))
        return {key for (key,) in rows}

    def _list_dead_askers(self) -> list[str]:
        askers = self._database.read(f"SELECT name, {self._database.clock} - seen FROM asker")
        return [name for name, silent_seconds in askers if is_dead(name, silent_seconds)]

    def refresh(self) -> None:
        """Send a heartbeat if the last one is old enough to matter."""
        if self._last_heartbeat is None:
            return
        if time.monotonic() - self._last_heartbeat > LAPSE / _HEARTBEATS_PER_LAPSE:
            self._last_heartbeat = time.monotonic()
            sql = f"UPDATE asker SET seen = {self._database.clock} WHERE name = ?"
            self._database.change((sql, (self.name,)))

    def release(self) -> None:
        """Give up all claims; commit what was asked under them before, or another process asks it again."""
        if self._last_heartbeat is None:  # without claims there is no reason to wait for another process's lock
            return
        self._last_heartbeat = None
        self._database.change(
            ("DELETE FROM claim WHERE asker = ?", (self.name,)),
            ("DELETE FROM asker WHERE name = ?", (self.name,)),
        )
