"""Put rows and outcomes together: the output, the quarantine of unreadable rows, and a note on the model."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path
from typing import Any

from cotpd.data.tables import write_json
from cotpd.files import write_atomically
from cotpd.scoring.columns import ERROR, ColumnNames
from cotpd.scoring.file_formats import find_format
from cotpd.scoring.row_predictions import Outcome
from cotpd.scoring.row_writers import RowWriter, format_json_line, open_parquet_writer, open_text_writer
from cotpd.scoring.source_rows import Chunk, RowSource, Survey
from cotpd.student.tasks import TaskName

_ROWS = 4096  # at a time
_RAW = 10_000  # characters of an unreadable line that the quarantine shows


class ScoredOutput:
    """The files that a batch job writes.

    Args:
        path: The output; its name says its format.
        columns: Which are copied, and what the predicted ones are called.
        task: The task of the model.
    """

    def __init__(self, path: Path, columns: ColumnNames, task: TaskName) -> None:
        self._path, self._columns, self._task = path, columns, task
        self.quarantine = path.with_name(f"{path.name}.quarantine.jsonl")
        self.notes = path.with_name(f"{path.name}.meta.json")

    def write(
        self,
        source: RowSource,
        survey: Survey,
        read_outcomes: Callable[[], Iterator[Outcome]],
        notes: Mapping[str, Any],
    ) -> int:
        """Write quarantine and notes, then the output, each whole or not at all.

        Args:
            source: The input.
            survey: Of the input.
            read_outcomes: Returns the outcomes of all rows, in order.
            notes: On the model and the input; Parquet keeps them in its metadata.

        Returns:
            The number of rows that could not be read.

        Raises:
            StorageError: The disk is full.
        """
        unreadable = sum(ERROR in outcome for outcome in read_outcomes())
        for earlier in (self.quarantine, self.notes):  # of an output that is replaced
            earlier.unlink(missing_ok=True)
        if unreadable:
            self._write_quarantine(source, read_outcomes())
        predicted = self._columns.list_predicted(self._task)
        notes = {**notes, "rows": survey.rows, "unreadable": unreadable, "predicted": predicted}
        copied = self._columns.list_kept(survey)
        with write_atomically(self._path) as partial, self._open(partial, source, survey, notes) as writer:
            for chunk, outcomes in _join_outcomes(source, read_outcomes(), copied):
                writer.write(chunk, [self._columns.name_outcome(self._task, outcome) for outcome in outcomes])
        return unreadable

    def _open(
        self, partial: Path, source: RowSource, survey: Survey, notes: Mapping[str, Any]
    ) -> AbstractContextManager[RowWriter]:
        """Open the output for writing; text files have their notes beside them."""
        file_format, copied = find_format(self._path.name), self._columns.list_kept(survey)
        if file_format.name == "parquet":
            schema = source.build_schema(copied, survey)
            return open_parquet_writer(partial, schema, self._columns.build_schema(self._task), notes)
        write_json(self.notes, notes)
        return open_text_writer(partial, file_format, copied, self._columns.list_predicted(self._task))

    def _write_quarantine(self, source: RowSource, outcomes: Iterator[Outcome]) -> None:
        number = 0
        with write_atomically(self.quarantine) as partial, partial.open("w", encoding="utf-8") as out:
            for chunk, outcomes_of_chunk in _join_outcomes(source, outcomes, None):
                for row, outcome in zip(chunk.list_rows(), outcomes_of_chunk, strict=True):
                    number += 1
                    if ERROR in outcome:
                        raw = {"raw": row.raw[:_RAW]} if row.raw else {"values": row.values}
                        reason = {"row": number, "line": row.line, "reason": outcome[ERROR]}
                        out.write(format_json_line(reason | raw))


def _join_outcomes(
    source: RowSource, outcomes: Iterator[Outcome], columns: Sequence[str] | None
) -> Iterator[tuple[Chunk, list[Outcome]]]:
    """Yield chunks of rows with the outcome of each row."""
    for chunk in source.iterate_chunks(columns, _ROWS):
        yield chunk, list(islice(outcomes, len(chunk)))
