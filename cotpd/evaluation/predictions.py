"""The predictions table: written from a model's predictions, and read again."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.data.tables import read_table
from cotpd.student.tasks import Predicted, Prediction, PredictionRow, TaskName, find_task

if TYPE_CHECKING:
    from cotpd.student.examples import Example


def build_predictions(
    examples: Sequence["Example"],
    predicted: Sequence[Sequence[Predicted]],
    *,
    task: TaskName,
    split: str,
    model: str,
) -> Iterator[Prediction]:
    """Yield the rows of one model on one split, in the order of the examples.

    Args:
        examples: With their gold annotation.
        predicted: By ``Student.predict_examples`` on the same examples.
        task: The task of the examples.
        split: valid or test.
        model: baseline, student or knowledge.

    Raises:
        ValueError: There are more or fewer predictions than examples.
    """
    definition = find_task(task)
    for example, labels in zip(examples, predicted, strict=True):
        yield definition.build_prediction(example, labels, split, model)


def read_predictions(path: Path) -> list[Prediction]:
    """Read a predictions table.

    Raises:
        DataError: The file is missing, or a line is no prediction; the message names file and line.
    """
    return [row.root for row in read_table(path, PredictionRow)]
