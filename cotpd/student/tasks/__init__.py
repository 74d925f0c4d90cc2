"""Everything in which one extraction task differs from another: a module and an object for each.

A task says how gold is read from a post, which labels there are, how a text is encoded, which head decodes it, how
predictions are scored, and in which words they are shown. A further task is one more module, and one more entry of
``_TASKS``.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Discriminator, RootModel, Tag

from cotpd.data.records import Span, TaskName
from cotpd.student.tasks.base import Task
from cotpd.student.tasks.named_entities import GoldMention, NamedEntities, NerPrediction, PredictedMention
from cotpd.student.tasks.relations import GoldRelation, PredictedRelation, Relations, RePrediction

Prediction = NerPrediction | RePrediction
Predicted = PredictedMention | PredictedRelation
Gold = GoldMention | GoldRelation

_TASKS: dict[TaskName, Task] = {"ner": NamedEntities(), "re": Relations()}


def find_task(name: TaskName) -> Task:
    """Return the object of a task.

    Raises:
        KeyError: There is no task of that name.
    """
    return _TASKS[name]


def _find_tag(row: Any) -> str:
    """Tell a row's task by its shape: a relation is a label, mentions are a list of spans."""
    sides = (row.get("gold"), row.get("predicted")) if isinstance(row, Mapping) else ()
    first_cells = [side[0] for side in sides if isinstance(side, Sequence) and side]
    return "re" if any(isinstance(cell, str) for cell in first_cells) else "ner"


_Tagged = Annotated[NerPrediction, Tag("ner")] | Annotated[RePrediction, Tag("re")]


class PredictionRow(RootModel[Annotated[_Tagged, Discriminator(_find_tag)]]):
    """A line of predictions.jsonl, of either task; ``root`` is the prediction."""


__all__ = [
    "Gold",
    "GoldMention",
    "GoldRelation",
    "NerPrediction",
    "Predicted",
    "PredictedMention",
    "PredictedRelation",
    "Prediction",
    "PredictionRow",
    "RePrediction",
    "Span",
    "Task",
    "TaskName",
    "find_task",
]
