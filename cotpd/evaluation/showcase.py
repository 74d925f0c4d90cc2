"""Predictions that are worth a look, chosen by rule, and how an explained post is coloured.

The choice depends on scores and ids alone, so that the same predictions always show the same examples: nobody
picked the pretty ones.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from cotpd.data.records import Prediction
from cotpd.evaluation.compare import grouped
from cotpd.evaluation.explanation import Claim, Explanation, explain, window
from cotpd.evaluation.scores import Span, Task, label, spans
from cotpd.student.examples import Example
from cotpd.student.heads import Found
from cotpd.student.neighbours import PAIR, Neighbours

WIDTH = 400  # characters of a post around what is explained


class Pick(NamedTuple):
    """One prediction of the student: its example's id, what was found, and the gold spans that it touches."""

    id: str
    found: Found
    gold: tuple[Span, ...]
    """Of a pair (0, 0, label)."""

    @property
    def right(self) -> bool:
        """Whether just this is annotated."""
        return self.found[:3] in self.gold


class Explained(NamedTuple):
    """A prediction with its explanation, whose only claim it is, and the annotation in words."""

    pick: Pick
    explanation: Explanation
    truth: str


class Shade(NamedTuple):
    """A stretch of a post: how much is looked at it, 0 to 1 of the most, and whether it is what is explained."""

    text: str
    strength: float
    marked: bool


def choose(predictions: Sequence[Prediction], split: str, task: Task, count: int) -> dict[str, list[Pick]]:
    """So many predictions of the student of each sort, under a title each; no prediction twice."""
    rows = grouped(predictions).get(split, {})
    ours = [pick for row in rows.get("student", ()) for pick in _picks(row, task)]
    theirs = {(row.id, *key) for row in rows.get("baseline", ()) for key in _keys(row.predicted, task)}
    certain = sorted(ours, key=lambda one: (-one.found.score, one.id, one.found.start))
    sorts = {
        "Right, where the baseline is not": [p for p in certain if p.right and (p.id, *p.found[:3]) not in theirs],
        "Right, and most certain": [pick for pick in certain if pick.right],
        "Right, and least certain": [pick for pick in reversed(certain) if pick.right],
        "Wrong, and most certain": [pick for pick in certain if not pick.right],
    }
    shown: set[Pick] = set()
    chosen = {}
    for title, some in sorts.items():
        chosen[title] = [pick for pick in some if pick not in shown][:count]
        shown.update(chosen[title])
    return {title: some for title, some in chosen.items() if some}


def explain_picks(
    index: Neighbours, examples: Sequence[Example], chosen: Mapping[str, Sequence[Pick]], nearest: int
) -> dict[str, list[Explained]]:
    """Explain what was chosen, each prediction by itself.

    Args:
        index: The training mentions of the student that predicted.
        examples: Those of the split.
        chosen: Of :func:`choose`.
        nearest: Training posts to show for each.
    """
    by_id = {example.id: example for example in examples}
    found: dict[str, list[Explained]] = {}
    for title, picks in chosen.items():
        read = [by_id[pick.id] for pick in picks]
        explanations = explain(index, read, [[pick.found] for pick in picks], nearest)
        truths = [_truth(pick, example) for pick, example in zip(picks, read, strict=True)]
        found[title] = [Explained(*row) for row in zip(picks, explanations, truths, strict=True)]
    return found


def shades(explanation: Explanation, claim: Claim) -> list[Shade]:
    """The post cut for colouring at words and marks; joined, the pieces are its text, or what stands near."""
    low, high = window(explanation.text, claim.marks, WIDTH)
    looks = explanation.attention.words if explanation.attention else []
    most = max((look.weight for look in looks), default=0.0) or 1.0
    edges = {edge for part in (*looks, *claim.marks) for edge in (part.start, part.end) if low < edge < high}
    return [
        Shade(
            explanation.text[first:last],
            next((look.weight / most for look in looks if look.start <= first and last <= look.end), 0.0),
            any(mark.start <= first and last <= mark.end for mark in claim.marks),
        )
        for first, last in pairwise(sorted({low, high} | edges))
    ]


def _picks(row: Prediction, task: Task) -> list[Pick]:
    if task == "re":
        return [Pick(row.id, Found(*PAIR, *row.predicted), ((*PAIR, label(row.gold)),))]
    gold = spans(row.gold)
    return [
        Pick(row.id, Found(*item), tuple(one for one in gold if one[0] < item[1] and item[0] < one[1]))
        for item in row.predicted
    ]


def _keys(predicted: Sequence[Any], task: Task) -> list[Span]:
    return [(*PAIR, label(predicted))] if task == "re" else spans(predicted)


def _truth(pick: Pick, example: Example) -> str:
    if example.head is not None:
        return pick.gold[0][2]
    words = [(example.offsets[start][0], example.offsets[end - 1][1], kind) for start, end, kind in pick.gold]
    return ", ".join(f"{example.text[start:end]} {kind}" for start, end, kind in words) or "no entity"
