"""Where a ledger's tables lie: an SQLite file, or a PostgreSQL database that several machines share.

Trade-off: both speak the same SQL with ``?`` for values, few words of which PostgreSQL spells otherwise, and the
driver is used as it is: no layer stands between an answer and its commit. The database waits for the disk at
every commit either way (SQLite: WAL, synchronous FULL; PostgreSQL: its default, synchronous_commit on).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cotpd.errors import ConfigError, LlmError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_PATIENCE = 60  # seconds that another process may hold what is to be written

Statement = tuple[str, Sequence[object]]
Run = Callable[[str, Sequence[object]], object]
Migration = Callable[[Run], None]


class RowError(LlmError):
    """A value that the database does not take: the row's fault, where any other fault would meet every row."""


class DiskFullError(LlmError):
    """There is no room for what was to be written; something smaller may still fit."""


class Store(Protocol):
    """A database with a ledger's tables. One caller at a time."""

    name: str
    """For messages; holds no password."""

    clock: str
    """SQL of the Unix time in seconds, by the one clock that all who share the database go by."""

    def tables(self) -> set[str]:
        """Names of the tables that there are."""

    def read(self, sql: str, values: Sequence[object] = ()) -> list[tuple]:
        """The rows of a query."""

    def change(self, statements: Sequence[Statement]) -> None:
        """Carry out statements, all or none; waits for whoever is at it."""

    def insert(self, before: Sequence[Statement], sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Carry out statements and insert rows, all or none; returns how many rows were new."""

    def settle(self) -> None:
        """Set the connection up so that a commit is durable."""

    def migrate(self, apply: Migration) -> None:
        """Change the tables in one go, with nobody else at it; ``apply`` is given what carries out a statement."""

    def check(self) -> str:
        """What the database finds wrong with itself; empty for nothing."""

    def close(self) -> None:
        """Let go."""


def open_store(place: str | Path) -> Store:
    """The store of a path or an SQLAlchemy URL (sqlite:///ledger.db, postgresql+psycopg://user@host/database).

    Raises:
        ConfigError: It is a URL that cannot be used.
        LlmError: The database cannot be opened.
    """
    if path := file_of(place):
        return SqliteStore(path)
    url = _url(str(place))
    if url.get_backend_name() == "postgresql":
        return PostgresStore(url)
    raise ConfigError(f"llm.ledger: {url.get_backend_name()} is not supported", "Use sqlite or postgresql.")


def file_of(place: str | Path) -> Path | None:
    """The file of a path or an SQLite URL, with the home folder for ``~``; None for the URL of a server.

    Raises:
        ConfigError: It is a URL that cannot be used, or names no file.
    """
    name = str(place)
    if "://" in name:
        url = _url(name)
        if url.get_backend_name() != "sqlite":
            return None
        name = url.database or ""
    if name in ("", ".", ":memory:", "file::memory:") or "\0" in name:
        raise ConfigError("llm.ledger: a ledger needs a file", "For example sqlite:///ledger.db")
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise ConfigError(f"llm.ledger: {name}: no such home folder", "Write the whole path.") from None


def _url(place: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(place)
    except (ArgumentError, ValueError):
        raise ConfigError("llm.ledger: not an SQLAlchemy URL", "See docs/your-llm.md.") from None
    if url.password or any("password" in name.lower() for name in url.query):  # sslpassword too
        raise ConfigError(
            f"llm.ledger: the URL of {url.host or url.database} holds a password",
            "Secrets belong in the environment: export PGPASSWORD, or keep a ~/.pgpass.",
        )
    return url


class SqliteStore:
    """One file."""

    clock = "(julianday('now') - 2440587.5) * 86400.0"

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LlmError(f"{path}: {error.strerror}", "Set llm.ledger to a file you may write.") from None
        with self._explained():
            self._db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        # a damaged byte is that row's digest's affair, and not the end of every query that meets it
        self._db.text_factory = partial(str, encoding="utf-8", errors="replace")

    def tables(self) -> set[str]:
        """See :class:`Store`."""
        return {name for (name,) in self.read("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def read(self, sql: str, values: Sequence[object] = ()) -> list[tuple]:
        """See :class:`Store`."""
        with self._explained():
            return self._db.execute(sql, tuple(values)).fetchall()

    def change(self, statements: Sequence[Statement]) -> None:
        """See :class:`Store`."""
        with self._explained(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                self._db.execute(sql, tuple(values))

    def insert(self, before: Sequence[Statement], sql: str, rows: Sequence[Sequence[object]]) -> int:
        """See :class:`Store`."""
        with self._explained(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for statement, values in before:
                self._db.execute(statement, tuple(values))
            changes = self._db.total_changes
            self._db.executemany(sql, rows)
            return self._db.total_changes - changes

    def settle(self) -> None:
        """See :class:`Store`."""
        self.read("PRAGMA journal_mode = WAL")
        self.read("PRAGMA synchronous = FULL")

    def migrate(self, apply: Migration) -> None:
        """See :class:`Store`."""
        with self._explained(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            apply(lambda sql, values: self._db.execute(sql, tuple(values)))

    def check(self) -> str:
        """See :class:`Store`."""
        said = str(self.read("PRAGMA integrity_check")[0][0])
        return "" if said == "ok" else said

    def close(self) -> None:
        """See :class:`Store`."""
        self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn SQLite's faults into ones that say what to do."""
        try:
            yield
        except _ROW_FAULTS as error:
            raise RowError(f"{self.name}: {error}", "What else was answered is kept.") from None
        except UnicodeDecodeError:  # in words of SQLite's own, about a schema that is damaged
            raise LlmError(f"{self.name}: the database is malformed", _REMEDIES["malformed"]) from None
        except sqlite3.DatabaseError as error:
            part = next((part for part in _REMEDIES if part in str(error)), "")
            kind = DiskFullError if part in ("full", "disk I/O") else LlmError
            raise kind(f"{self.name}: {error}", _REMEDIES.get(part, "")) from None


_ROW_FAULTS = (
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    UnicodeEncodeError,
    OverflowError,
)

_REMEDIES = {
    "not a database": "It is not a ledger: set llm.ledger to another file.",
    "malformed": "The file is damaged: restore it from a copy, or import an export into a new one.",
    "unable to open": "Set llm.ledger to a file in a folder you may write to.",
    "readonly": "The ledger must be writable: check the permissions of the file and its folder.",
    "disk I/O": "Look whether there is space left on the disk; every answer that was reported as kept is safe.",
    "full": "Free some space; every answer that was reported as kept is safe.",
    "locked": "Another process has held the ledger for a minute: end it, or use another ledger.",
}

_LOCK = 0x636F7470  # of migrations, among all advisory locks of a database: "cotp"


class PostgresStore:
    """A database on a server; the tables lie in the schema that its search path names first."""

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
            self._db.execute(f"SET lock_timeout = '{_PATIENCE}s'")  # else a table that is held would be for ever

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
    limits = {"connect_timeout": 30, "tcp_user_timeout": 1000 * _PATIENCE}
    return {name: value for name, value in limits.items() if name not in url.query}


def _spelt(sql: str) -> str:
    """A statement in PostgreSQL's spelling."""
    return sql.replace("?", "%s").replace(" REAL", " DOUBLE PRECISION").replace(") WITHOUT ROWID", ")")
