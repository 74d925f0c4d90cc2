"""Rows with their predictions, written as JSON Lines, CSV, TSV or Parquet.

Trade-off: cells of CSV stand as they are. An apostrophe before a formula would move the offsets of every mention,
so this is a file for programs: a spreadsheet may compute a post that begins with an equals sign.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from cotpd.scoring.file_formats import FileFormat, create_text
from cotpd.scoring.source_rows import Chunk
from cotpd.scoring.text_sources import format_text

if TYPE_CHECKING:
    import pyarrow as pa

Outcomes = Sequence[Mapping[str, Any]]
_SURROGATE = re.compile("[\ud800-\udfff]")


class RowWriter(Protocol):
    """An output that is open."""

    def write(self, chunk: Chunk, outcomes: Outcomes) -> None:
        """Write the kept columns of a chunk's rows, and the predicted columns of each behind them."""
        ...


class JsonLinesRows:
    """Writes each row as an object.

    Args:
        out: The file.
        copied: The columns that are copied.
    """

    def __init__(self, out: IO[str], copied: Sequence[str]) -> None:
        self._out, self._copied = out, frozenset(copied)

    def write(self, chunk: Chunk, outcomes: Outcomes) -> None:
        """Write the rows of a chunk; a key that a row lacks stays away."""
        for row, outcome in zip(chunk.list_rows(), outcomes, strict=True):
            values = {name: value for name, value in row.values.items() if name in self._copied}
            self._out.write(format_json_line({**values, **outcome}))


class TableRows:
    """Writes CSV or TSV, lists and objects as JSON.

    Args:
        out: The file.
        copied, predicted: The columns, in their order.
        delimiter: A comma or a tab.
    """

    def __init__(self, out: IO[str], copied: Sequence[str], predicted: Sequence[str], delimiter: str) -> None:
        # with the default line end, CR and LF, a lone CR in a cell is quoted too
        self._writer, self._copied, self._predicted = csv.writer(out, delimiter=delimiter), copied, predicted
        self._writer.writerow([*copied, *predicted])

    def write(self, chunk: Chunk, outcomes: Outcomes) -> None:
        """Write the rows of a chunk; null is an empty cell."""
        for row, outcome in zip(chunk.list_rows(), outcomes, strict=True):
            cells = [*map(row.values.get, self._copied), *map(outcome.get, self._predicted)]
            self._writer.writerow(["" if cell is None else format_text(cell) for cell in cells])


@contextmanager
def open_text_writer(
    path: Path, file_format: FileFormat, copied: Sequence[str], predicted: Sequence[str]
) -> Iterator[RowWriter]:
    """Open a new file of text.

    Args:
        path: The file.
        file_format: Any but Parquet.
        copied, predicted: The names of the columns.
    """
    with create_text(path, file_format.compression) as out:
        if file_format.name == "jsonl":
            yield JsonLinesRows(out, copied)
        else:
            yield TableRows(out, copied, predicted, "\t" if file_format.name == "tsv" else ",")


@contextmanager
def open_parquet_writer(
    path: Path, copied: "pa.Schema", predicted: "pa.Schema", model: Mapping[str, Any]
) -> Iterator[RowWriter]:
    """Open a new Parquet file, which says in its metadata which model scored it."""
    from cotpd.scoring.parquet_files import ParquetRows  # noqa: PLC0415  pyarrow is of an extra

    with ParquetRows(path, copied, predicted, json.dumps(model)) as writer:
        yield writer


def format_json_line(values: Mapping[str, Any]) -> str:
    """Return an object as a line of JSON, in ASCII if UTF-8 cannot hold it."""
    line = json.dumps(values, ensure_ascii=False)
    return (json.dumps(values) if _SURROGATE.search(line) else line) + "\n"
