"""The score of a suspected gold error: how sure independent readings are of it, and how unusual it is for them.

score = mean over families of ( mean over the family's rows of share x (1 - habit) )

``share`` is p(changed) / (p(changed) + p(gold)), calibrated, of the whole labelling. ``habit`` is the row's
rate of this very confusion on the split: how often it reads the gold's class as the suggested one elsewhere.
Without it the top of the list is what small models never learn: rare names, read as nothing with great certainty.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Self

from cotpd.data.records import FEW_SHOT, ZERO_SHOT
from cotpd.student.tasks import Prediction
from cotpd.student.tasks.base import NO_SCORE, Change

FAMILIES = {
    "baseline": "text",
    "control": "text",
    "control teacher": "text",
    "student": "knowledge",
    "knowledge": "knowledge",
    "teacher": "knowledge",
    ZERO_SHOT: "language model",
    FEW_SHOT: "language model",
}
"""Row to the family of rows that it may err together with; another row is a family of its own."""
_Classes = tuple[str | None, str | None]


def name_family(row: str) -> str:
    """Return the family of a row."""
    return FAMILIES.get(row, row)


def count_families(rows: Iterable[str]) -> int:
    """Return how many families some rows are of."""
    return len({name_family(row) for row in rows})


@dataclass
class Habits:
    """The confusions of one row on one split, and how often it is right.

    Attributes:
        confusions: Gold class and predicted class of each of its changes; None for nothing.
        totals: How often each gold class occurs; below None how many labels were predicted.
        right: Predicted labels that are right.
        has_scores: Whether its predictions have probabilities.
    """

    confusions: Counter[_Classes] = field(default_factory=Counter)
    totals: Counter[str | None] = field(default_factory=Counter)
    right: int = 0
    has_scores: bool = False

    @classmethod
    def measure(cls, predictions: Iterable[Prediction]) -> Self:
        """Measure the habits of one row."""
        habits = cls()
        for row in predictions:
            gold, predicted = row.list_counted_gold(), row.list_counted_predictions()
            habits.confusions.update(map(find_classes, row.list_changes()))
            habits.totals.update(label for label, _ in row.pair_labels())
            habits.totals[None] += len(predicted)
            habits.right += len(gold & predicted)
            habits.has_scores |= any(score != NO_SCORE for score, _ in row.list_judged_scores())
        return habits

    @property
    def precision(self) -> float:
        """The share of predicted labels that are right, smoothed: half for a row that predicts nothing."""
        return (self.right + 1) / (self.totals[None] + 2)

    def measure_rate(self, change: Change, is_agreeing: bool) -> float:
        """Return how often the row makes such a change elsewhere, smoothed.

        Args:
            change: The change.
            is_agreeing: Whether the row makes this very one, which then does not count.
        """
        classes = find_classes(change)
        confused = self.confusions[classes] - is_agreeing
        total = max(self.totals[classes[0]] - 1, confused, 0)
        return (confused + 0.5) / (total + 2)


def find_classes(change: Change) -> _Classes:
    """Return the class of the gold and that of the prediction; None where there is none."""
    removed, added = (labels[0] if labels else None for labels in change)
    return _get_class(removed), _get_class(added)


def _get_class(label: Any) -> str | None:
    """Return the type of a mention, or the label itself."""
    return label if isinstance(label, str) or label is None else str(label.label)


def exclude_each_other(left: Change, right: Change) -> bool:
    """Return whether two changes of one example touch the same label or the same tokens."""
    left_labels, right_labels = (*left.removed, *left.added), (*right.removed, *right.added)
    if any(isinstance(label, str) for label in left_labels):
        return True  # the example has one label
    return any(
        first[0] < second[1] and second[0] < first[1] for first, second in product(left_labels, right_labels)
    )


def judge_unscored(changes: Sequence[Change], change: Change, precision: float) -> float:
    """Return the share of a row without probabilities, from its own changes of the example.

    Its precision if it makes the change, 1 less that if it reads the gold, and half where it reads a third thing.
    """
    if change in changes:
        return precision
    return 0.5 if any(exclude_each_other(change, rival) for rival in changes) else 1 - precision


def compute_score(
    shares: Mapping[str, float], change: Change, agreeing: Sequence[str], habits: Mapping[str, Habits]
) -> float:
    """Return the score of a change.

    Args:
        shares: By row.
        change: The change.
        agreeing: The rows that make it.
        habits: By row.
    """
    families: dict[str, list[float]] = {}
    for row, share in shares.items():
        rate = habits[row].measure_rate(change, row in agreeing)
        families.setdefault(name_family(row), []).append(share * (1 - rate))
    means = [sum(values) / len(values) for values in families.values()]
    return sum(means) / len(means) if means else 0.0
