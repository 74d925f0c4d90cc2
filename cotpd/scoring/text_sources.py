"""Rows of JSON Lines, CSV and TSV, read line by line.

Trade-off: the file is parsed once for a survey (its rows, columns and kinds of values) before it is scored, at
some 100,000 rows a second. So a damaged file is refused before hours of scoring, and the time left is known.
"""

import base64
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers.values import RowError, parse_json
from cotpd.errors import DataError
from cotpd.scoring.file_formats import FileFormat, open_text
from cotpd.scoring.source_rows import (
    MOST_COLUMNS,
    MOST_DEPTH,
    SourceRow,
    Survey,
    group_rows,
    name_kind,
    refuse_duplicates,
)

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST_CELL = 1 << 26  # characters; a quote that is never closed would take the whole file for one cell
_SIMPLE = {"bool": "bool", "int": "int64", "float": "float64"}


class TextChunk(NamedTuple):
    """Rows of a text file."""

    rows: list[SourceRow]

    def __len__(self) -> int:
        return len(self.rows)

    def list_rows(self) -> Sequence[SourceRow]:
        """Return the rows."""
        return self.rows

    def build_arrays(self, schema: "pa.Schema") -> "list[pa.Array]":
        """Return an Arrow array for each field."""
        import pyarrow as pa  # noqa: PLC0415  of an extra

        arrays = []
        for field in schema:
            cells = [row.values.get(field.name) for row in self.rows]
            if pa.types.is_string(field.type):
                cells = [None if cell is None else format_text(cell) for cell in cells]
            arrays.append(pa.array(cells, field.type))
        return arrays


class TextSource:
    """A text file of rows; ``parse`` is given its lines.

    Args:
        path: The file.
        file_format: How it is written.
    """

    def __init__(self, path: Path, file_format: FileFormat) -> None:
        self._path, self._format = path, file_format

    def summarize(self) -> Survey:
        """Count rows, and name columns with the kinds of their values."""
        survey = Survey()
        for row, _ in self._iterate_rows(survey):
            survey.rows += 1
            for name, value in row.values.items():
                survey.kinds.setdefault(name, set()).add(name_kind(value))
            if len(survey.kinds) > MOST_COLUMNS:
                raise DataError(
                    f"{self._path}: more than {MOST_COLUMNS:,} different keys", "Put them below one key."
                )
        return survey

    def iterate_chunks(self, columns: Sequence[str] | None, size: int, skip: int = 0) -> Iterator[TextChunk]:  # noqa: ARG002
        """Yield chunks of rows; a text file gives all columns, whichever are asked for."""
        rows = self._iterate_rows(Survey())
        for _ in range(skip):
            next(rows, None)
        for group in group_rows(rows, size):
            yield TextChunk(group)

    def build_schema(self, columns: Sequence[str], survey: Survey) -> "pa.Schema":
        """Return the Arrow schema of some columns; one whose values are of different kinds becomes text."""
        import pyarrow as pa  # noqa: PLC0415  of an extra

        types = {name: _choose_type(survey.kinds[name] - {"null"}) for name in columns}
        return pa.schema([(name, pa.type_for_alias(alias)) for name, alias in types.items()])

    def _iterate_rows(self, survey: Survey) -> Iterator[tuple[SourceRow, int]]:
        """Yield each row with its length; a header names its columns in the survey."""
        if self._format.name == "jsonl":
            with open_text(self._path, self._format.compression, "\n") as lines:
                yield from read_objects(lines)
        else:
            with open_text(self._path, self._format.compression, "") as lines:
                yield from self._read_records(lines, survey)

    def _read_records(self, lines: IO[str], survey: Survey) -> Iterator[tuple[SourceRow, int]]:
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.reader(lines, delimiter="\t" if self._format.name == "tsv" else ",", strict=True)
        start, header = 1, None
        while (cells := self._read_record(reader, start)) is not None:
            if isinstance(cells, SourceRow):
                if header is None:
                    raise DataError(f"{self._path}:{start}: the header is damaged: {cells.problem}", "Mend it.")
                yield cells, len(cells.raw)
            elif header is None and cells:
                refuse_duplicates(cells, self._path)
                header = cells
                survey.kinds.update({name: {"text"} for name in header})
            elif cells:  # an empty line is no row
                yield _build_record(header or [], cells, start), sum(map(len, cells))
            start = reader.line_num + 1
        if header is None:
            raise DataError(f"{self._path}: is empty: not even a header", "Write a line with the columns' names.")

    def _read_record(self, reader: Any, start: int) -> list[str] | SourceRow | None:
        """Return the next cells, a row with a problem, or None at the end."""
        try:
            return next(reader, None)
        except csv.Error as error:
            message = str(error)
            if message.startswith(("unexpected end", "field larger")):
                raise DataError(
                    f"{self._path}:{start}: a quote is opened in this row and not closed",
                    'Double each quote within a quoted cell: "".',
                ) from None
            return SourceRow({}, start, f"not CSV: {message}")


def _build_record(header: Sequence[str], cells: Sequence[str], line: int) -> SourceRow:
    values = dict(zip(header, cells, strict=False))
    if len(cells) != len(header):
        return SourceRow(values, line, f"{format_count(len(cells), 'cell')}, where the header has {len(header)}")
    return SourceRow(values, line, find_wrong_byte("".join(cells)))


def read_objects(lines: IO[str]) -> Iterator[tuple[SourceRow, int]]:
    """Yield the row of each line of JSON, with its length; blank lines are no rows."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _parse_object(line.removeprefix("\ufeff") if number == 1 else line, number), len(line)


def _parse_object(line: str, number: int) -> SourceRow:
    if problem := find_wrong_byte(line):
        return SourceRow({}, number, problem, line)
    try:
        values = parse_json(line)
        if not isinstance(values, dict):
            return SourceRow({}, number, "not a JSON object", line)
        return SourceRow(make_json(values), number)
    except RowError as error:
        return SourceRow({}, number, error.reason, line)


def find_wrong_byte(text: str) -> str:
    """Say which byte of a text was not UTF-8, as `surrogateescape` has marked it; empty if all were."""
    wrong = next((character for character in text if "\udc80" <= character <= "\udcff"), None)
    return "" if wrong is None else f"not UTF-8: byte 0x{ord(wrong) - 0xDC00:02x}"


def make_json(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can hold it: no NaN or infinity, times as ISO 8601, bytes as base64.

    Raises:
        RowError: It is nested too deeply.
    """
    if depth > MOST_DEPTH:
        raise RowError("brackets nested too deeply")
    if isinstance(value, Mapping):
        return {str(key): make_json(member, depth + 1) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [make_json(member, depth + 1) for member in value]
    if isinstance(value, float):
        return value if value - value == 0 else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def format_text(value: Any) -> str:
    """Return a JSON value as the text of a cell: a string as it stands, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()


def _choose_type(kinds: set[str]) -> str:
    """Return Arrow's name of the type that holds values of these kinds without a loss."""
    if len(kinds) == 1 and (name := _SIMPLE.get(next(iter(kinds)))):
        return name
    if kinds and kinds <= {"int", "long"}:
        return "int64"
    return "float64" if kinds == {"int", "float"} else "string"
