"""A ledger's tables in a PostgreSQL database that several machines share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cotpd.errors import ConfigError, LlmError
from cotpd.llm.ledger.database import PATIENCE, Migration, RowError, Statement

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_LOCK = 0x636F7470  # of migrations, among all advisory locks of a database: "cotp"


class PostgresStore:
    """A database on a server; the tables lie in the schema that its search path names first."""

    read_only = False
    clock = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"

    def __init__(self, url: "URL") -> None:
        try:
            import psycopg
        except ImportError:
            raise ConfigError(
                "llm.ledger: PostgreSQL's driver is not installed", "pip install 'cotpd[postgres]'"
            ) from None
        self._faults = psycopg.Error
        self._row_faults = (psycopg.DataError, UnicodeEncodeError)
        self.name = url.render_as_string(hide_password=True)
        with self._explained():
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._db: Any = psycopg.connect(address, **_limits(url), autocommit=True)

    def tables(self) -> set[str]:
        """See :class:`Store`."""
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        return {name for (name,) in self.read(sql)}

    def read(self, sql: str, values: Sequence[object] = ()) -> list[tuple]:
        """See :class:`Store`."""
        with self._explained():
            return self._db.execute(_spelt(sql), tuple(values)).fetchall()

    def change(self, statements: Sequence[Statement]) -> None:
        """See :class:`Store`."""
        with self._explained(), self._db.transaction():
            for sql, values in statements:
                self._db.execute(_spelt(sql), tuple(values))

    def insert(self, before: Sequence[Statement], sql: str, rows: Sequence[Sequence[object]]) -> int:
        """See :class:`Store`."""
        with self._explained(), self._db.transaction(), self._db.cursor() as cursor:
            for statement, values in before:
                cursor.execute(_spelt(statement), tuple(values))
            # in one order everywhere, or two processes could wait for each other
            cursor.executemany(_spelt(sql), sorted(rows, key=lambda row: str(row[0])))
            return max(0, int(cursor.rowcount))

    def settle(self) -> None:
        """See :class:`Store`."""
        with self._explained():
            self._db.execute("SET synchronous_commit = on")
            self._db.execute(f"SET lock_timeout = '{PATIENCE}s'")  # else a table that is held would be for ever

    def migrate(self, apply: Migration) -> None:
        """See :class:`Store`."""
        with self._explained(), self._db.transaction():
            self._db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            apply(lambda sql, values: self._db.execute(_spelt(sql), tuple(values)))

    def check(self) -> str:
        """Nothing: a server looks after its own pages; rows are checked by their digests."""
        return ""

    def close(self) -> None:
        """See :class:`Store`."""
        self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._row_faults as error:
            said = " ".join(str(error).split())
            raise RowError(f"{self.name}: {said}", "What else was answered is kept.") from None
        except self._faults as error:
            said = " ".join(str(error).split())
            raise LlmError(
                f"{self.name}: {said}", "Check the server and llm.ledger; committed answers are safe."
            ) from None


def _limits(url: "URL") -> dict[str, int]:
    """Limits of a connection that its URL does not set: one that is dead would otherwise be waited for."""
    limits = {"connect_timeout": 30, "tcp_user_timeout": 1000 * PATIENCE}
    return {name: value for name, value in limits.items() if name not in url.query}


def _spelt(sql: str) -> str:
    """A statement in PostgreSQL's spelling."""
    return sql.replace("?", "%s").replace(" REAL", " DOUBLE PRECISION").replace(") WITHOUT ROWID", ")")
