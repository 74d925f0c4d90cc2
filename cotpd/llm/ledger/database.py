"""The ledger's database: opened, checked and migrated once, then shared by the modules that own its tables.

Each table has one owner with all of its SQL: answers :mod:`ledger`, claims :mod:`claims`, batch jobs
:mod:`batch_jobs`, imported recordings :mod:`recording`.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cotpd.errors import ConfigError
from cotpd.llm.ledger.database_address import find_ledger_file, parse_url
from cotpd.llm.ledger.migrations import check_version, migrate
from cotpd.llm.ledger.sqlite_store import SqliteStore
from cotpd.llm.ledger.store import Row, Statement, Store

MAX_KEYS = 500  # in one IN (...), safely below SQLite's limit


class Database:
    """An open database with a ledger's tables. Several threads and processes may use it.

    Args:
        address: A path, or an SQLAlchemy URL of SQLite or PostgreSQL.

    Raises:
        ConfigError: The URL is invalid.
        LlmError: The database cannot be opened or written, is no ledger, or was written by a newer version.
    """

    def __init__(self, address: str | Path) -> None:
        self._lock = threading.Lock()  # a statement may hold it for a minute while another process has the file
        self.store = open_store(address)
        self.name = self.store.name
        self.clock = self.store.clock
        self.read_only = self.store.read_only
        try:
            version = check_version(self.store)  # before any write: a foreign database stays as it is
            self.store.make_durable()
            migrate(self.store, version)
        except BaseException:
            self.store.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self.store.close()

    def read(self, sql: str, values: Iterable[object] = ()) -> list[Row]:
        """Return the rows of a query."""
        with self._lock:
            return self.store.read(sql, tuple(values))

    def read_by_key(self, sql: str, keys: Iterable[str], values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of a query that ends with the name of the column that must be among ``keys``.

        ``values`` fill the question marks before that.
        """
        distinct = list(dict.fromkeys(keys))
        for start in range(0, len(distinct), MAX_KEYS):
            page = distinct[start : start + MAX_KEYS]
            yield from self.read(f"{sql} IN ({','.join('?' * len(page))})", (*values, *page))

    def change(self, *statements: Statement) -> None:
        """Execute statements in one transaction."""
        with self._lock:
            self.store.change(statements)

    def insert(self, before: Sequence[Statement], sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Execute statements and insert rows in one transaction; returns how many rows were new."""
        with self._lock:
            return self.store.insert(before, sql, rows)

    def find_corruption(self) -> str:
        """Return what the database's own check finds wrong; empty if it finds nothing."""
        with self._lock:
            return self.store.find_corruption()


def open_store(address: str | Path) -> Store:
    """Open a path or an SQLAlchemy URL (sqlite:///ledger.db, postgresql+psycopg://user@host/database).

    Raises:
        ConfigError: The URL is invalid, or names another kind of database.
        LlmError: The database cannot be opened.
    """
    if path := find_ledger_file(address):
        return SqliteStore(path)
    url = parse_url(str(address))
    if url.get_backend_name() == "postgresql":
        from cotpd.llm.ledger.postgresql_store import PostgresStore  # noqa: PLC0415  an optional extra

        return PostgresStore(url)
    raise ConfigError(f"llm.ledger: {url.get_backend_name()} is not supported", "Use sqlite or postgresql.")
