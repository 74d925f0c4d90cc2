"""Rows as they were read, turned into predictions; a row that cannot be read has its reason in their place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from cotpd.errors import DataError
from cotpd.scoring.columns import ERROR, ColumnNames
from cotpd.scoring.row_writers import format_json_line
from cotpd.scoring.source_rows import SourceRow, Survey
from cotpd.student.prediction_input import predict_inputs

if TYPE_CHECKING:
    from cotpd.scoring.scoring_model import ScoringModel

Outcome = dict[str, Any]  # a prediction, or {"error": reason}


@dataclass(frozen=True)
class BatchOptions:
    """The options of scoring a file.

    Attributes:
        columns: The columns that are read, and those that come out again.
        batch_size: Rows that the model reads at a time.
        strict: Fail at the first row that cannot be read.
        overwrite: Replace the output if it exists.
        restart: Discard what an earlier run of other rows or another model has scored.
    """

    columns: ColumnNames = field(default_factory=ColumnNames)
    batch_size: int = 32
    strict: bool = False
    overwrite: bool = False
    restart: bool = False

    def adapt(self, survey: Survey) -> "BatchOptions":
        """Return the options for a source, whose posts may be lists of words."""
        return replace(self, columns=self.columns.adapt(survey))


def predict_source_rows(
    model: "ScoringModel", rows: Sequence[SourceRow], first: int, options: BatchOptions
) -> list[Outcome]:
    """Predict rows, in order.

    Args:
        model: A model of any task.
        rows: As they were read.
        first: The number of the first of them, for messages.
        options: Say which columns are read, and whether an unreadable row is an error.

    Raises:
        DataError: A row cannot be read, and ``strict`` is set.
    """
    inputs, reasons = [], {}
    for number, row in enumerate(rows, first):
        try:
            inputs.append(options.columns.read(model.task, row, number))
        except DataError as error:
            if options.strict:
                raise
            reasons[number] = error.problem.partition(": ")[2]
    predictions = iter(predict_inputs(model.predictor, inputs, options.batch_size))
    numbers = range(first, first + len(rows))
    return [{ERROR: reasons[number]} if number in reasons else next(predictions) for number in numbers]


class RowChunk(NamedTuple):
    """Rows that are predicted together, and the number of the first of them."""

    first: int
    rows: Sequence[SourceRow]

    def count_characters(self) -> int:
        """Return the work that they are, roughly."""
        return sum(len(str(row.values)) for row in self.rows)


def predict_chunks(
    model: "ScoringModel", options: BatchOptions, chunks: Iterable[RowChunk]
) -> Iterator[list[Outcome]]:
    """Yield the outcomes of each chunk, as :func:`predict_source_rows` does."""
    for chunk in chunks:
        yield predict_source_rows(model, chunk.rows, chunk.first, options)


def stream_rows(
    batches: Iterable[Sequence[SourceRow]], model: "ScoringModel", options: BatchOptions
) -> Iterator[str]:
    """Yield a line of JSON for each row of a stream, as soon as its batch is predicted.

    Raises:
        DataError: A row has a key of a predicted one's name, or cannot be read and ``strict`` is set.
    """
    predicted, count = set(options.columns.list_predicted(model.task)), 0
    for rows in batches:
        outcomes = predict_source_rows(model, rows, count + 1, options)
        for number, (row, outcome) in enumerate(zip(rows, outcomes, strict=True), count + 1):
            values = options.columns.select_kept(row.values)
            if clash := predicted & values.keys():
                problem = f"row {number}: its key {min(clash)!r} has the name of a predicted one"
                raise DataError(problem, "Name those --prefix predicted_, or leave it out with --keep.")
            yield format_json_line(values | options.columns.name_outcome(model.task, outcome))
        count += len(rows)
