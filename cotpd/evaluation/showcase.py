"""Predictions to look at, chosen by rule, and the colours of an explained post.

The choice depends on scores and ids alone, so that the same predictions always show the same examples, and none is
picked because it looks well.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, NamedTuple

from cotpd.evaluation.explanation import Claim, Explanation, explain, find_window
from cotpd.evaluation.results_table import group_predictions
from cotpd.student.examples import Example
from cotpd.student.tasks import Gold, Predicted, Prediction

if TYPE_CHECKING:
    from cotpd.student.neighbours import Neighbours

WIDTH = 400  # characters of a post that are shown around a prediction


class Pick(NamedTuple):
    """One prediction of the student: its example's id, the prediction, and the gold labels that it touches."""

    id: str
    prediction: Predicted
    gold: tuple[Gold, ...]

    @property
    def is_right(self) -> bool:
        """Whether exactly this label is annotated."""
        return self.prediction.target in self.gold

    @property
    def position(self) -> int:
        """The first token of the prediction; 0 for a pair."""
        return self.prediction.span[0] if self.prediction.span is not None else 0


class Explained(NamedTuple):
    """A prediction with its explanation, which has one claim, and the annotation in words."""

    pick: Pick
    explanation: Explanation
    truth: str


class Shade(NamedTuple):
    """A stretch of a post, its attention (0 to 1 of the largest), and whether it is the explained mention."""

    text: str
    strength: float
    marked: bool


def choose_picks(predictions: Sequence[Prediction], split: str, count: int) -> dict[str, list[Pick]]:
    """Return up to ``count`` predictions of the student of each sort, under the sort's title; none twice.

    Raises:
        DataError: A prediction names an unknown row or split.
    """
    rows = group_predictions(predictions).get(split, {})
    picks = _list_picks(rows.get("student", ()))
    of_baseline = {(pick.id, *pick.prediction.target) for pick in _list_picks(rows.get("baseline", ()))}
    by_certainty = sorted(picks, key=lambda pick: (-pick.prediction.score, pick.id, pick.position))
    right = [pick for pick in by_certainty if pick.is_right]
    sorts = {
        "Right, where the baseline is not": [
            pick for pick in right if (pick.id, *pick.prediction.target) not in of_baseline
        ],
        "Right, and most certain": right,
        "Right, and least certain": right[::-1],
        "Wrong, and most certain": [pick for pick in by_certainty if not pick.is_right],
    }

    shown: set[Pick] = set()
    chosen = {}
    for title, candidates in sorts.items():
        chosen[title] = [pick for pick in candidates if pick not in shown][:count]
        shown.update(chosen[title])
    return {title: selection for title, selection in chosen.items() if selection}


def explain_picks(
    index: "Neighbours", examples: Sequence[Example], chosen: Mapping[str, Sequence[Pick]], nearest: int
) -> dict[str, list[Explained]]:
    """Explain chosen predictions, each by itself.

    Args:
        index: The training mentions of the student that predicted.
        examples: Those of the split.
        chosen: The picks that :func:`choose_picks` returns.
        nearest: Training posts to show for each.
    """
    example_by_id = {example.id: example for example in examples}
    explained: dict[str, list[Explained]] = {}
    for title, picks in chosen.items():
        picked = [example_by_id[pick.id] for pick in picks]
        explanations = explain(index, picked, [[pick.prediction] for pick in picks], nearest)
        explained[title] = [
            Explained(pick, explanation, _describe_gold(pick, example))
            for pick, explanation, example in zip(picks, explanations, picked, strict=True)
        ]
    return explained


def shade_text(explanation: Explanation, claim: Claim) -> list[Shade]:
    """Return the post cut for colouring at words and marks; joined, the pieces are its text, or a window of it."""
    low, high = find_window(explanation.text, claim.marks, WIDTH)
    looks = explanation.attention.words if explanation.attention else []
    largest = max((look.weight for look in looks), default=0.0) or 1.0
    parts = [*((look.start, look.end) for look in looks), *((mark.start, mark.end) for mark in claim.marks)]
    edges = {edge for edge in chain.from_iterable(parts) if low < edge < high}

    shades = []
    for first, last in pairwise(sorted({low, high} | edges)):
        weights = (look.weight / largest for look in looks if look.start <= first and last <= look.end)
        is_marked = any(mark.start <= first and last <= mark.end for mark in claim.marks)
        shades.append(Shade(explanation.text[first:last], next(weights, 0.0), is_marked))
    return shades


def _list_picks(rows: Sequence[Prediction]) -> list[Pick]:
    """Return each prediction of some rows of the predictions table, with the gold labels that it touches."""
    picks = []
    for row in rows:
        picks += [Pick(row.id, prediction, tuple(gold)) for prediction, gold in row.match_gold()]
    return picks


def _describe_gold(pick: Pick, example: Example) -> str:
    """Return the gold labels that a prediction touches, in words."""
    return ", ".join(gold.describe(example) for gold in pick.gold) or "no entity"
