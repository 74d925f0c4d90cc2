"""Where a ledger's tables lie: an SQLite file, or a PostgreSQL database that several machines share.

Trade-off: both speak the same SQL with ``?`` for values, few words of which PostgreSQL spells otherwise, and the
driver is used as it is: no layer stands between an answer and its commit. The database waits for the disk at
every commit either way (SQLite: WAL, synchronous FULL; PostgreSQL: its default, synchronous_commit on).
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cotpd.errors import ConfigError, LlmError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

PATIENCE = 60  # seconds that another process may hold what is to be written

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

    read_only: bool
    """Whether nothing can be written: what is there can be read all the same."""

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
    if path := find_ledger_file(place):
        return SqliteStore(path)
    url = _url(str(place))
    if url.get_backend_name() == "postgresql":
        from cotpd.llm.ledger.postgresql_store import PostgresStore

        return PostgresStore(url)
    raise ConfigError(f"llm.ledger: {url.get_backend_name()} is not supported", "Use sqlite or postgresql.")


def find_ledger_file(place: str | Path) -> Path | None:
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
        self.read_only = path.exists() and not all(os.access(place, os.W_OK) for place in (path, path.parent))
        with self._explained():
            self._db = self._open_to_read(path) if self.read_only else _connect(str(path))
        # a damaged byte is that row's digest's affair, and not the end of every query that meets it
        self._db.text_factory = partial(str, encoding="utf-8", errors="replace")

    def _open_to_read(self, path: Path) -> sqlite3.Connection:
        """Open a file that cannot be written, if need be without the files that SQLite would put beside it."""
        address = f"{path.resolve().as_uri()}?mode=ro"
        db = _connect(address)
        if _can_be_read(db):
            return db
        db.close()
        log = Path(f"{path}-wal")
        if log.exists() and log.stat().st_size:  # passed over, they would be bought again
            raise LlmError(f"{path}: read-only, and {log.name} holds answers that cannot be read so", _COPY)
        return _connect(f"{address}&immutable=1")

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
        if self.read_only:
            return
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


def _connect(address: str) -> sqlite3.Connection:
    uri = address.startswith("file:")
    return sqlite3.connect(address, timeout=PATIENCE, isolation_level=None, check_same_thread=False, uri=uri)


def _can_be_read(db: sqlite3.Connection) -> bool:
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    return True


_COPY = "Copy both files to a folder that you may write to, and set llm.ledger to the copy."
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
    "readonly": "An answer is missing, and the ledger cannot be written: copy it to where you may write, and set "
    "llm.ledger to the copy.",
    "disk I/O": "Look whether there is space left on the disk; every answer that was reported as kept is safe.",
    "full": "Free some space; every answer that was reported as kept is safe.",
    "locked": "Another process has held the ledger for a minute: end it, or use another ledger.",
}
