"""Everything in which one task differs from another: a module and an object for each.

A task says how gold is read from a post, which labels there are, how a text is encoded, which head decodes it, how
predictions are scored, and in which words they are shown. A further task is one more module, and one more entry of
``_TASKS``; or an entry point of the group ``cotpd.tasks`` in a package of its own (docs/tasks.md).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, RootModel, Tag

from cotpd.data.records import Span, TaskName
from cotpd.errors import ConfigError
from cotpd.student.tasks.base import Task
from cotpd.student.tasks.classes import Classes, ClassPrediction, Sentiment
from cotpd.student.tasks.mention_predictions import GoldMention, NerPrediction, PredictedMention
from cotpd.student.tasks.named_entities import NamedEntities
from cotpd.student.tasks.relations import Relations, RePrediction
from cotpd.student.tasks.single_label import GoldLabel, PredictedLabel

Prediction = NerPrediction | RePrediction | ClassPrediction
Predicted = PredictedMention | PredictedLabel
Gold = GoldMention | GoldLabel

ENTRY_POINTS = "cotpd.tasks"
_TASKS: dict[TaskName, Task] = {task.name: task for task in (NamedEntities(), Relations(), Sentiment())}


@cache
def find_task(name: TaskName) -> Task:
    """Return the object of a task.

    Only tasks of this package and of installed packages that declare one are looked at: a name in a student's
    folder, which may come from anywhere, never chooses which module is imported.

    Raises:
        ConfigError: There is no task of that name, or what a package declares under it is none.
    """
    if name in _TASKS:
        return _TASKS[name]
    declared = [*entry_points(group=ENTRY_POINTS, name=name)]
    if not declared:
        names = ", ".join(list_task_names())
        raise ConfigError(f"there is no task {name!r}; there are {names}", "docs/tasks.md adds another one.")
    task = declared[0].load()
    if not isinstance(task, Task) or task.name != name:
        raise ConfigError(f"{declared[0].value} is no task of the name {name}", "See docs/tasks.md.")
    return task


def list_task_names() -> list[TaskName]:
    """Return the names of all tasks, those of other packages last."""
    return [*_TASKS, *sorted({entry.name for entry in entry_points(group=ENTRY_POINTS)} - _TASKS.keys())]


def _check_name(name: TaskName) -> TaskName:
    try:
        return find_task(name).name
    except ConfigError as error:
        raise ValueError(error.problem) from None


KnownTask = Annotated[TaskName, AfterValidator(_check_name)]
"""A field of a record that names a task: an unknown name is refused as the record is read."""


def _find_tag(row: Any) -> str:
    """Tell which record a row is: classes name their task, and mentions are a list of spans, unlike a label."""
    if isinstance(row, Mapping) and "task" in row:
        return "class"
    sides = (row.get("gold"), row.get("predicted")) if isinstance(row, Mapping) else ()
    first_cells = [side[0] for side in sides if isinstance(side, Sequence) and side]
    return "re" if any(isinstance(cell, str) for cell in first_cells) else "ner"


_Tagged = (
    Annotated[NerPrediction, Tag("ner")]
    | Annotated[RePrediction, Tag("re")]
    | Annotated[ClassPrediction, Tag("class")]
)


class PredictionRow(RootModel[Annotated[_Tagged, Discriminator(_find_tag)]]):
    """A line of predictions.jsonl, of any task; ``root`` is the prediction."""


__all__ = [
    "ENTRY_POINTS",
    "ClassPrediction",
    "Classes",
    "Gold",
    "GoldLabel",
    "GoldMention",
    "KnownTask",
    "NerPrediction",
    "Predicted",
    "PredictedLabel",
    "PredictedMention",
    "Prediction",
    "PredictionRow",
    "RePrediction",
    "Span",
    "Task",
    "TaskName",
    "find_task",
    "list_task_names",
]
