"""The protocol of a database that holds a ledger; SQLite and PostgreSQL each implement it.

Trade-off: both speak the same SQL with ``?`` for values, and the driver is used as it is, so no layer stands
between an answer and its commit. Either database waits for the disk at every commit (SQLite: WAL, synchronous
FULL; PostgreSQL: its default, synchronous_commit on).
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cotpd.errors import LlmError

PATIENCE = 60  # seconds that a statement waits for a lock that another process holds

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[object]]
Execute = Callable[[str, Sequence[object]], object]
Migration = Callable[[Execute], None]


class RowError(LlmError):
    """The database refuses a value of one row; the same statement may succeed for other rows."""


class DiskFullError(LlmError):
    """The disk has no room for the write; a smaller write may still fit."""


class Store(Protocol):
    """A database that holds a ledger's tables. It serves one caller at a time."""

    name: str
    """The database's name for messages; it contains no password."""

    read_only: bool
    """Whether the database can be read but not written."""

    clock: str
    """An SQL expression for the Unix time in seconds, by the one clock that all processes share."""

    def list_tables(self) -> set[str]:
        """Return the names of the existing tables."""

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Return the rows of a query."""

    def change(self, statements: Sequence[Statement]) -> None:
        """Execute statements in one transaction; waits while another process holds the lock."""

    def insert(self, before: Sequence[Statement], sql: str, rows: Sequence[Sequence[object]]) -> int:
        """Execute the statements ``before``, then ``sql`` for each row, in one transaction.

        Returns:
            How many rows were new; ``sql`` may skip a row that the table holds.
        """

    def make_durable(self) -> None:
        """Configure the connection so that a committed row survives a power cut."""

    def migrate(self, apply: Migration) -> None:
        """Change the tables in one exclusive transaction; ``apply`` receives the function that executes SQL."""

    def find_corruption(self) -> str:
        """Return what the database's own check finds wrong; empty if it finds nothing."""

    def close(self) -> None:
        """Close the connection."""
