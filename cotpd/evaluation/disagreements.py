"""Single posts that only one of student and baseline labels right, with both readings and the true one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cotpd.data.records import Post
from cotpd.evaluation.results_table import ROWS, group_predictions
from cotpd.student.tasks import Prediction
from cotpd.student.tasks.base import Mark

Piece = tuple[str, str]  # a stretch of text, and the type it is marked with or ""


@dataclass(frozen=True)
class Reading:
    """A post as one model, or the annotation, labels it."""

    name: str
    pieces: list[Piece]
    label: str
    """The relation; empty for entities."""


@dataclass(frozen=True)
class Case:
    """One post, the true reading first, then that of each model."""

    post: Post
    readings: list[Reading]


def find_disagreements(
    predictions: Iterable[Prediction], posts: Sequence[Post], split: str
) -> tuple[list[Case], list[Case]]:
    """Return the cases that only the student gets right, and those that only the baseline does, in table order.

    A prediction is right if all of it is: every entity and no other, or the relation.

    Raises:
        DataError: A prediction names an unknown row or split.
    """
    rows = {
        name: {prediction.id: prediction for prediction in row}
        for name, row in group_predictions(predictions).get(split, {}).items()
    }
    post_by_id = {post.id: post for post in posts}
    better: list[Case] = []
    worse: list[Case] = []

    for key, student in rows.get("student", {}).items():
        baseline = rows.get("baseline", {}).get(key)
        post = post_by_id.get(student.post_id)
        if baseline is None or post is None or student.is_right == baseline.is_right:
            continue
        models = {name: rows[name][key] for name in ROWS if key in rows.get(name, {})}
        (better if student.is_right else worse).append(_build_case(post, models))
    return better, worse


def mark_spans(post: Post, marks: Iterable[Mark]) -> list[Piece]:
    """Return the post's text cut into pieces, marked spans with their type; joined, the pieces are the text.

    Of two marks that overlap only the first is shown.
    """
    pieces: list[Piece] = []
    position = 0
    for start, end, kind in sorted(marks):
        first, last = post.offsets[start][0], post.offsets[end - 1][1]
        if first >= position:
            pieces += [(post.text[position:first], ""), (post.text[first:last], kind)]
            position = last
    pieces.append((post.text[position:], ""))
    return [piece for piece in pieces if piece[0]]


def _build_case(post: Post, models: Mapping[str, Prediction]) -> Case:
    """Return a post with its annotation and each model's labels, the models by name."""
    markings = {"annotation": next(iter(models.values())).mark_gold(post)}
    markings |= {ROWS[name]: row.mark_predicted(post) for name, row in models.items()}
    readings = [Reading(name, mark_spans(post, side.marks), side.label) for name, side in markings.items()]
    return Case(post, readings)
