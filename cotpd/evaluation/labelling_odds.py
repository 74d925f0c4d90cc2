"""How much more probable a model holds a changed labelling of a post than the gold one.

Trade-off: both labellings go through the encoder, although one pass would score both: a labelling is an example
like any other here, so that no task needs code of its own, and only disputed posts are read at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from cotpd.data.records import Kind, Post
from cotpd.student.examples import Example, build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.tasks import TaskName
from cotpd.student.views import View


class Model(Protocol):
    """The part of a student that a reader calls."""

    labels: LabelSet

    def compute_log_probabilities(
        self, examples: Sequence[Example], view: View | None = None, batch_size: int = 32
    ) -> list[float]:
        """Return the calibrated log-probability of each example's own labels."""
        ...


class Disputed(Protocol):
    """A post whose gold is disputed, and the post as changed."""

    @property
    def example_id(self) -> str:
        """The id of the example that differs."""
        ...

    @property
    def post(self) -> Post:
        """With the gold."""
        ...

    @property
    def changed(self) -> Post:
        """With the change."""
        ...


@dataclass(frozen=True)
class Reader:
    """A row of the results with the model that it was predicted with.

    Attributes:
        row: The row's name.
        model: The model.
        view: The view that it reads.
        captions, knowledge: By post id, for the knowledge view; other views do not read them.
    """

    row: str
    model: Model
    view: View | None = None
    captions: Mapping[str, str] = field(default_factory=dict)
    knowledge: Mapping[str, Mapping[Kind, str]] = field(default_factory=dict)

    def build_example(self, post: Post, example_id: str, task: TaskName) -> Example:
        """Return one of the examples of a post."""
        examples = build_examples([post], task, self.captions, self.knowledge)
        return next(example for example in examples if example.id == example_id)

    def can_judge(self, example: Example) -> bool:
        """Return whether the model knows all labels of an example: of others it has no probability."""
        task = self.model.labels.definition
        return all(label in self.model.labels.types for _, label in task.list_targets(example))

    def compute_log_probabilities(self, examples: Sequence[Example]) -> np.ndarray:
        """Return the log-probability of each example's own labels, (examples,)."""
        return np.array(self.model.compute_log_probabilities(examples, self.view))


class _Pair(NamedTuple):
    number: int
    gold: Example
    changed: Example


def compute_shares(
    readers: Sequence[Reader], disputed: Sequence[Disputed], task: TaskName
) -> list[dict[str, float]]:
    """Return for each disputed post p(changed) / (p(changed) + p(gold)) of each reader, by its row.

    A reader that does not know one of the labels is left out: it could never predict it.
    """
    shares: list[dict[str, float]] = [{} for _ in disputed]
    for reader in readers:
        pairs = []
        for index, row in enumerate(disputed):
            gold, changed = (reader.build_example(post, row.example_id, task) for post in (row.post, row.changed))
            if reader.can_judge(gold) and reader.can_judge(changed):
                pairs.append(_Pair(index, gold, changed))
        if not pairs:
            continue
        gold_side = reader.compute_log_probabilities([pair.gold for pair in pairs])
        changed_side = reader.compute_log_probabilities([pair.changed for pair in pairs])
        for pair, share in zip(pairs, compute_sigmoid(changed_side - gold_side).tolist(), strict=True):
            shares[pair.number][reader.row] = share
    return shares


def compute_sigmoid(odds: np.ndarray) -> np.ndarray:
    """Return the probability of log-odds; extreme ones give 0 or 1 without a warning."""
    result: np.ndarray = 0.5 * (1 + np.tanh(odds / 2))
    return result
