"""The table of labels by the language model alone, as predictions: written by extract, scored by evaluate."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from cotpd.data.records import Extracted, TaskName
from cotpd.errors import DataError
from cotpd.student.tasks import Predicted, find_task

if TYPE_CHECKING:
    from cotpd.student.examples import Example


def collect_predictions(
    rows: Iterable[Extracted], examples: Sequence["Example"], task: TaskName, split: str
) -> Mapping[str, list[list[Predicted]]]:
    """Return the predicted labels of each example in their order, for each row of the result that was asked for.

    Raises:
        DataError: A row lacks an example: the table is of other posts.
    """
    tables: dict[str, dict[str, Extracted]] = {}
    for row in rows:
        if row.split == split:
            tables.setdefault(row.row, {})[row.id] = row
    definition = find_task(task)
    predictions = {}
    for name in sorted(tables):
        missing = [example.id for example in examples if example.id not in tables[name]]
        if missing:
            remedy = "Run: dvc repro --force --single-item extract; then the others."
            raise DataError(f"{name}: no answer about {missing[0]} ({split}) in data/extracted", remedy)
        ordered = [tables[name][example.id] for example in examples]
        predictions[name] = [definition.read_extracted(row.mentions, row.label) for row in ordered]
    return predictions
