"""A ledger's tables in one SQLite file."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from cotpd.errors import LlmError
from cotpd.llm.ledger.store import PATIENCE, DiskFullError, Migration, Row, RowError, Statement


class SqliteStore:
    """An SQLite file.

    Args:
        path: The file; folders above it are made.

    Raises:
        LlmError: The file cannot be opened.
    """

    clock = "(julianday('now') - 2440587.5) * 86400.0"

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LlmError(f"{path}: {error.strerror}", "Set llm.ledger to a file you may write.") from None
        self.read_only = path.exists() and not all(os.access(target, os.W_OK) for target in (path, path.parent))
        with self._explain_errors():
            self._db = self._open_read_only(path) if self.read_only else _connect(str(path))
        # strict decoding would let one damaged byte end every query that reads its row; the digest notices it
        self._db.text_factory = partial(str, encoding="utf-8", errors="replace")

    def _open_read_only(self, path: Path) -> sqlite3.Connection:
        """Open a file that cannot be written.

        In a read-only folder SQLite cannot make the files beside it that WAL needs: then it is opened without
        them, unless a log there holds answers.
        """
        address = f"{path.resolve().as_uri()}?mode=ro"
        db = _connect(address)
        if _can_read(db):
            return db
        db.close()
        log = Path(f"{path}-wal")
        if log.exists() and log.stat().st_size:  # without them, their requests would be paid for again
            raise LlmError(f"{path}: read-only, and {log.name} holds answers that cannot be read so", _COPY)
        return _connect(f"{address}&immutable=1")

    def list_tables(self) -> set[str]:
        """See :class:`Store`."""
        return {name for (name,) in self.read("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See :class:`Store`."""
        with self._explain_errors():
            return self._execute(sql, values).fetchall()

    def change(self, statements: Sequence[Statement]) -> None:
        """See :class:`Store`."""
        with self._explain_errors(), self._db:
            self._execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                self._db.execute(sql, tuple(values))

    def insert(self, before: Sequence[Statement], sql: str, rows: Sequence[Sequence[object]]) -> int:
        """See :class:`Store`."""
        with self._explain_errors(), self._db:
            self._execute("BEGIN IMMEDIATE")
            for statement, values in before:
                self._db.execute(statement, tuple(values))
            changes = self._db.total_changes
            self._db.executemany(sql, rows)
            return self._db.total_changes - changes

    def make_durable(self) -> None:
        """See :class:`Store`."""
        if self.read_only:
            return
        self.read("PRAGMA journal_mode = WAL")
        self.read("PRAGMA synchronous = FULL")

    def migrate(self, apply: Migration) -> None:
        """See :class:`Store`."""
        with self._explain_errors(), self._db:
            self._execute("BEGIN IMMEDIATE")
            apply(lambda sql, values: self._db.execute(sql, tuple(values)))

    def find_corruption(self) -> str:
        """See :class:`Store`."""
        report = str(self.read("PRAGMA integrity_check")[0][0])
        return "" if report == "ok" else report

    def close(self) -> None:
        """See :class:`Store`."""
        self._db.close()

    def _execute(self, sql: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """Execute a statement outside a transaction; waits while another process holds the lock.

        SQLite's own timeout is not enough: a statement that changes the journal's mode reads first, and gives up
        at once where another connection writes.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self._db.execute(sql, tuple(values))
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= deadline:
                    raise
            time.sleep(_RETRY_SECONDS)

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Raise SQLite's errors as ours, with a remedy."""
        try:
            yield
        except _ROW_FAULTS as error:
            raise RowError(f"{self.name}: {error}", "The other answers are kept.") from None
        except UnicodeDecodeError:  # SQLite's own message, about a damaged schema, is not UTF-8
            raise LlmError(f"{self.name}: the database is malformed", _REMEDIES["malformed"]) from None
        except sqlite3.DatabaseError as error:
            part = next((part for part in _REMEDIES if part in str(error)), "")
            kind = DiskFullError if part in ("full", "disk I/O") else LlmError
            raise kind(f"{self.name}: {error}", _REMEDIES.get(part, "")) from None


def _connect(address: str) -> sqlite3.Connection:
    uri = address.startswith("file:")
    return sqlite3.connect(address, timeout=PATIENCE, isolation_level=None, check_same_thread=False, uri=uri)


def _can_read(db: sqlite3.Connection) -> bool:
    """Whether SQLite can read the file: not if it needs WAL's files and the folder is read-only.

    Raises:
        sqlite3.DatabaseError: The file is no database.
    """
    try:
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    return True


_RETRY_SECONDS = 0.02
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
