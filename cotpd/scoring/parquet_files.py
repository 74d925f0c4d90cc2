"""Parquet in and out, a bounded number of rows at a time: columns keep their types, dictionaries and nesting."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import pyarrow as pa
import pyarrow.parquet as pq

from cotpd.data.readers.values import RowError
from cotpd.errors import DataError
from cotpd.scoring.file_formats import explain_damage
from cotpd.scoring.source_rows import Chunk, SourceRow, Survey, refuse_duplicates
from cotpd.scoring.text_sources import make_json

_CHUNK_BYTES = 16_000_000  # of rows in memory, as their row group counts them
_GROUP_ROWS, _GROUP_BYTES = 65_536, 16_000_000  # of a row group that is written
_BUFFER = 1 << 20  # bytes that are read ahead of each column


class ParquetChunk(NamedTuple):
    """Rows of a Parquet file."""

    batch: pa.RecordBatch

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def list_rows(self) -> Sequence[SourceRow]:
        """Return the rows, their values as JSON can hold them."""
        return [_convert_row(row) for row in self.batch.to_pylist()]

    def build_arrays(self, schema: pa.Schema) -> list[pa.Array]:
        """Return the columns as they were read."""
        return [self.batch.column(name) for name in schema.names]


def _convert_row(row: Mapping[str, Any]) -> SourceRow:
    try:
        return SourceRow(make_json(row))
    except RowError as error:
        return SourceRow({}, problem=error.reason)


class ParquetSource:
    """A Parquet file of rows.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def summarize(self) -> Survey:
        """Read the number of rows and the columns' types from the file's footer."""
        with self._open() as file:
            schema = file.schema_arrow
            refuse_duplicates(schema.names, self._path)
            return Survey(file.metadata.num_rows, {field.name: {_name_kind(field.type)} for field in schema})

    def iterate_chunks(self, columns: Sequence[str] | None, size: int, skip: int = 0) -> Iterator[ParquetChunk]:
        """Yield chunks of rows; whole row groups are passed over unread."""
        with self._open() as file:
            for number in range(file.num_row_groups):
                group = file.metadata.row_group(number)
                if skip >= group.num_rows:
                    skip -= group.num_rows
                    continue
                bounded = max(1, min(size, _CHUNK_BYTES * group.num_rows // max(1, group.total_byte_size)))
                for batch in file.iter_batches(bounded, row_groups=[number], columns=columns):
                    if skip < batch.num_rows:
                        yield ParquetChunk(batch.slice(skip))
                    skip = max(0, skip - batch.num_rows)

    def build_schema(self, columns: Sequence[str], survey: Survey) -> pa.Schema:  # noqa: ARG002
        """Return the file's own schema of some columns; pandas' notes go if a column does, or it would miss it."""
        with self._open() as file:
            schema = file.schema_arrow
        metadata = dict(schema.metadata or {})
        if list(columns) != schema.names:
            metadata.pop(b"pandas", None)
        return pa.schema([schema.field(name) for name in columns], metadata)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        with explain_damage(self._path):
            try:
                with pq.ParquetFile(self._path, buffer_size=_BUFFER, pre_buffer=False) as file:
                    yield file
            except (pa.ArrowException, UnicodeDecodeError) as error:
                reason = str(error).splitlines()[0]
                raise DataError(
                    f"{self._path}: no Parquet file, or damaged: {reason}", "Write it again."
                ) from None


def _name_kind(kind: pa.DataType) -> str:
    """Return text, list, null, or the name of any other type."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "list"
    return str(kind)


class ParquetRows:
    """A Parquet file that is written; a context manager.

    Args:
        path: The file.
        copied: The schema of the columns that are copied.
        predicted: The schema of the columns behind them.
        model: The text to keep under the key cotpd in the file's metadata.
    """

    def __init__(self, path: Path, copied: pa.Schema, predicted: pa.Schema, model: str) -> None:
        self._copied, self._predicted = copied, predicted
        metadata = {**(copied.metadata or {}), b"cotpd": model.encode()}
        self._schema = pa.schema([*copied, *predicted], metadata)
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._pending: list[pa.RecordBatch] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._write_group()
        self._writer.close()

    def write(self, chunk: Chunk, outcomes: Sequence[Mapping[str, Any]]) -> None:
        """Write a chunk with the predicted columns of each row; rows are gathered into larger row groups."""
        arrays = chunk.build_arrays(self._copied)
        for field in self._predicted:
            arrays.append(pa.array([row[field.name] for row in outcomes], field.type))
        self._pending.append(pa.record_batch(arrays, schema=self._schema))
        rows = sum(batch.num_rows for batch in self._pending)
        if rows >= _GROUP_ROWS or sum(batch.nbytes for batch in self._pending) >= _GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending, self._schema), _GROUP_ROWS)
            self._pending = []


def read_notes(path: Path) -> dict[str, Any]:
    """Return what :class:`ParquetRows` has noted on the model; empty for another program's file."""
    with explain_damage(path):
        metadata = pq.read_schema(path).metadata or {}
    try:
        value = json.loads(metadata.get(b"cotpd", b"{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
