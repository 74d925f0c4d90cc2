"""Single posts on which student and baseline part ways: what each said, what is true, what the knowledge was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cotpd.data.records import Post, Prediction
from cotpd.evaluation.compare import ROWS, grouped
from cotpd.evaluation.scores import Span, Task, label, spans

Piece = tuple[str, str]  # a stretch of text, and the type it is marked with or ""


@dataclass(frozen=True)
class Reading:
    """What one row, or the annotation, makes of a post."""

    name: str
    pieces: list[Piece]
    label: str
    """The relation; empty for entities."""


@dataclass(frozen=True)
class Case:
    """One post, the true reading first, then that of each row."""

    post: Post
    readings: list[Reading]


def cases(
    predictions: Iterable[Prediction], posts: Sequence[Post], split: str, task: Task
) -> tuple[list[Case], list[Case]]:
    """Posts where only the student is right, and posts where only the baseline is, in the order of the table.

    A reading is right if all of it is: every entity and no other, or the relation.
    """
    rows = {name: {row.id: row for row in some} for name, some in grouped(predictions).get(split, {}).items()}
    by_id = {post.id: post for post in posts}
    better: list[Case] = []
    worse: list[Case] = []
    for key, ours in rows.get("student", {}).items():
        theirs = rows.get("baseline", {}).get(key)
        post = by_id.get(post_of(key, task))
        if theirs is None or post is None or _right(ours, task) == _right(theirs, task):
            continue
        found = {name: rows[name][key] for name in ROWS if key in rows.get(name, {})}
        (better if _right(ours, task) else worse).append(_case(post, found, key, task))
    return better, worse


def marked(post: Post, found: Iterable[Span]) -> list[Piece]:
    """The post's text cut into pieces, those of a span with its type; joined, the pieces are the text."""
    pieces: list[Piece] = []
    at = 0
    for start, end, kind in sorted(found):
        first, last = post.offsets[start][0], post.offsets[end - 1][1]
        if first >= at:  # what overlaps an earlier span cannot be shown twice
            pieces += [(post.text[at:first], ""), (post.text[first:last], kind)]
            at = last
    return [piece for piece in [*pieces, (post.text[at:], "")] if piece[0]]


def post_of(key: str, task: Task) -> str:
    """The id of the post that an example was made from; relation examples add ``#`` and the relation's place."""
    return key.rpartition("#")[0] if task == "re" else key


def _right(row: Prediction, task: Task) -> bool:
    if task == "re":
        return label(row.gold) == label(row.predicted)
    return set(spans(row.gold)) == set(spans(row.predicted))


def _case(post: Post, rows: Mapping[str, Prediction], key: str, task: Task) -> Case:
    first = next(iter(rows.values()))
    sides = [("annotation", first.gold), *((ROWS[name], row.predicted) for name, row in rows.items())]
    if task == "ner":
        return Case(post, [Reading(name, marked(post, spans(side)), "") for name, side in sides])
    pair = marked(post, _pair(post, int(key.rpartition("#")[2])))
    return Case(post, [Reading(name, pair, label(side)) for name, side in sides])


def _pair(post: Post, place: int) -> list[Span]:
    relation = post.relations[place]
    head, tail = post.entities[relation.head], post.entities[relation.tail]
    return [(head.start, head.end, "head"), (tail.start, tail.end, "tail")]
