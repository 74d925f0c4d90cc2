"""A ledger's tables in a PostgreSQL database that several machines share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cotpd.errors import ConfigError, LlmError
from cotpd.llm.ledger.store import PATIENCE, Migration, Row, RowError, Statement
from cotpd.service_errors import explain_postgresql

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_LOCK = 0x636F7470  # of migrations, among all advisory locks of a database: "cotp"


class PostgresStore:
    """A database on a server; the tables are in the schema that its search path names first.

    Raises:
        ConfigError: The driver is not installed.
        LlmError: The server cannot be reached, or refuses.
    """

    read_only = False
    clock = "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"

    def __init__(self, url: "URL") -> None:
        try:
            import psycopg  # noqa: PLC0415  an optional extra
        except ImportError:
            raise ConfigError(
                "llm.ledger: PostgreSQL's driver is not installed", "pip install 'cotpd[postgres]'"
            ) from None
        self._errors = psycopg.Error
        self._row_errors = (psycopg.DataError, UnicodeEncodeError)
        self.name = url.render_as_string(hide_password=True)
        with self._explain_errors():
            address = url.set(drivername="postgresql").render_as_string(hide_password=False)
            self._db: Any = psycopg.connect(address, **_build_limits(url), autocommit=True)

    def list_tables(self) -> set[str]:
        """See :class:`Store`."""
        sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
        return {name for (name,) in self.read(sql)}

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See :class:`Store`."""
        with self._explain_errors():
            rows: list[Row] = self._db.execute(_adapt(sql), tuple(values)).fetchall()
            return rows

    def change(self, statements: Sequence[Statement]) -> None:
        """See :class:`Store`."""
        with self._explain_errors(), self._db.transaction():
            for sql, values in statements:
                self._db.execute(_adapt(sql), tuple(values))

    def insert(self, before: Sequence[Statement], sql: str, rows: Sequence[Sequence[object]]) -> int:
        """See :class:`Store`."""
        with self._explain_errors(), self._db.transaction(), self._db.cursor() as cursor:
            for statement, values in before:
                cursor.execute(_adapt(statement), tuple(values))
            # in one order everywhere, or two processes could deadlock
            cursor.executemany(_adapt(sql), sorted(rows, key=lambda row: str(row[0])))
            return max(0, int(cursor.rowcount))

    def make_durable(self) -> None:
        """See :class:`Store`."""
        with self._explain_errors():
            self._db.execute("SET synchronous_commit = on")
            # without a limit, a table that another process has locked would block for ever
            self._db.execute(f"SET lock_timeout = '{PATIENCE}s'")

    def migrate(self, apply: Migration) -> None:
        """See :class:`Store`."""
        with self._explain_errors(), self._db.transaction():
            self._db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            apply(lambda sql, values: self._db.execute(_adapt(sql), tuple(values)))

    def find_corruption(self) -> str:
        """Return nothing: a server checks its own pages, and each row has its digest."""
        return ""

    def close(self) -> None:
        """See :class:`Store`."""
        self._db.close()

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except self._row_errors as error:
            message = " ".join(str(error).split())
            raise RowError(f"{self.name}: {message}", "The other answers are kept.") from None
        except self._errors as error:
            message = " ".join(str(error).split())
            meaning = explain_postgresql(message)
            remedy = meaning.remedy if meaning else "Check the server and llm.ledger."
            raise LlmError(f"{self.name}: {message}", f"{remedy} Committed answers are safe.") from None


def _build_limits(url: "URL") -> dict[str, Any]:
    """Return the time limits that the URL does not set; without them a dead connection would block for ever."""
    limits = {"connect_timeout": 30, "tcp_user_timeout": 1000 * PATIENCE}
    return {name: value for name, value in limits.items() if name not in url.query}


def _adapt(sql: str) -> str:
    """Return a statement in PostgreSQL's dialect."""
    return sql.replace("?", "%s").replace(" REAL", " DOUBLE PRECISION").replace(") WITHOUT ROWID", ")")
