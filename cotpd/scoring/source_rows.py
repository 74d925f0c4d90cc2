"""The protocol of a source of rows, whatever its format: a survey beforehand, then chunks of bounded size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from cotpd.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COLUMNS = 10_000
MOST_DEPTH = 64  # of brackets in a value; writing a deeper one back could exceed Python's stack
CHUNK_CHARACTERS = 8_000_000  # in the rows that are held at a time, however long they are


class SourceRow(NamedTuple):
    """One row as it was read.

    Attributes:
        values: By column; all that could be read of a row with a problem.
        line: Where it begins in a text file.
        problem: Why it cannot be read; empty if it can.
        raw: The line, where no value of it could be read.
    """

    values: Mapping[str, Any]
    line: int | None = None
    problem: str = ""
    raw: str = ""


@dataclass
class Survey:
    """The number of rows and the columns of a source, from one pass over it.

    Attributes:
        rows: Their number.
        kinds: By column, the kinds of its values (see :func:`name_kind`), or for Parquet its type's name.
    """

    rows: int = 0
    kinds: dict[str, set[str]] = field(default_factory=dict)


class Chunk(Protocol):
    """Rows that follow each other."""

    def __len__(self) -> int: ...

    def list_rows(self) -> Sequence[SourceRow]:
        """Return the rows."""
        ...

    def build_arrays(self, schema: "pa.Schema") -> "list[pa.Array]":
        """Return one Arrow array for each field of a schema that :meth:`RowSource.build_schema` returned."""
        ...


class RowSource(Protocol):
    """A file of rows that can be read any number of times."""

    def summarize(self) -> Survey:
        """Count rows, and name columns with the kinds of their values.

        Raises:
            DataError: The file is damaged, or has columns that cannot be told apart.
        """
        ...

    def iterate_chunks(self, columns: Sequence[str] | None, size: int, skip: int = 0) -> Iterator[Chunk]:
        """Yield chunks of at most ``size`` rows, in order.

        Args:
            columns: That are read; None reads all.
            size: The most rows of a chunk.
            skip: Rows at the beginning that are passed over.

        Raises:
            DataError: The file is damaged.
        """
        ...

    def build_schema(self, columns: Sequence[str], survey: Survey) -> "pa.Schema":
        """Return the Arrow schema of some columns."""
        ...


def group_rows(rows: Iterable[tuple[SourceRow, int]], size: int) -> Iterator[list[SourceRow]]:
    """Group rows, each with its length in characters, into lists of at most ``size`` that memory can hold."""
    group: list[SourceRow] = []
    characters = 0
    for row, length in rows:
        group.append(row)
        characters += length
        if len(group) == size or characters >= CHUNK_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group


def refuse_duplicates(names: Sequence[str], path: object) -> None:
    """Refuse columns that share a name.

    Raises:
        DataError: Two do; the message names the first.
    """
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{path}: more than {MOST_COLUMNS:,} columns", "Leave out those that are not needed.")
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}: two columns are called {name!r}", "Rename one of them.")


def name_kind(value: Any) -> str:
    """Name the kind of a JSON value: null, bool, int, long (no float holds it), float, text or json."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if abs(value) < 2**53 else "long" if abs(value) < 2**63 else "json"
    return {float: "float", str: "text"}.get(type(value), "json")
