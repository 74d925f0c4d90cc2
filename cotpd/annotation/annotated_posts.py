"""A post as an annotation tool holds it: its text, what people marked in it, and what a model suggests.

Offsets count characters of the text, end exclusive, as in every tool that is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cotpd.data.readers.raw_posts import UNTYPED
from cotpd.data.records import Post


class Mark(NamedTuple):
    """A mention: characters ``start`` to ``end`` (exclusive) of the text; ``score`` is the model's probability."""

    start: int
    end: int
    type: str
    score: float | None = None


class Link(NamedTuple):
    """A relation; ``head`` and ``tail`` index the marks of its annotation."""

    head: int
    tail: int
    label: str
    score: float | None = None


@dataclass(frozen=True)
class Annotation:
    """Mentions, relations, and the label of the whole post, by one annotator or one model."""

    marks: tuple[Mark, ...] = ()
    links: tuple[Link, ...] = ()
    label: str | None = None
    label_score: float | None = None

    @property
    def score(self) -> float | None:
        """The least score of its parts, by which tools sort; None if no part has one."""
        parts = [*(mark.score for mark in self.marks), *(link.score for link in self.links), self.label_score]
        scores = [score for score in parts if score is not None]
        return min(scores, default=None)


@dataclass(frozen=True)
class AnnotatedPost:
    """A post with its gold annotation and a model's.

    Attributes:
        id: The post's id; unique, as every tool that is written needs it.
        text: The post.
        gold: What people marked; None if nobody has read the post.
        predicted: What a model suggests.
        model: The model's name and version, shown beside its suggestions.
        meta: What else is known of the post (image, caption, a reason to look at it): JSON values.
    """

    id: str
    text: str
    gold: Annotation | None = None
    predicted: Annotation | None = None
    model: str = "cotpd"
    meta: Mapping[str, Any] = field(default_factory=dict)


def convert_post(
    post: Post, predicted: Annotation | None = None, model: str = "cotpd", *, with_words: bool = False
) -> AnnotatedPost:
    """Return a post of a data set with its annotation as gold.

    Args:
        post: The post.
        predicted: What a model suggests.
        model: Its name.
        with_words: Whether the words go into ``meta``, since a reader would make others of the text.
    """
    values = {
        "image": post.image,
        "caption": post.caption,
        "knowledge": {kind.value: text for kind, text in post.knowledge.items()},
        "tokens": list(post.tokens) if with_words else None,
    }
    meta = {name: value for name, value in values.items() if value}
    return AnnotatedPost(post.id, post.text, get_gold(post), predicted, model, meta)


def get_gold(post: Post) -> Annotation:
    """Return the annotation of a data set's post, its offsets in characters."""
    marks = (
        Mark(post.offsets[entity.start][0], post.offsets[entity.end - 1][1], entity.type or UNTYPED)
        for entity in post.entities
    )
    links = (Link(relation.head, relation.tail, relation.label) for relation in post.relations)
    return Annotation(tuple(marks), tuple(links), post.label)


def read_prediction(row: Mapping[str, Any]) -> Annotation:
    """Return a prediction of `cotpd predict --json` as an annotation.

    Args:
        row: ``{"entities": [{"start", "end", "type", "score"}]}``, or ``{"label", "score"}`` with ``head`` and
            ``tail``, each ``[start, end]``, for a pair, and without them for a whole post.
    """
    if "entities" in row:
        marks = (Mark(mark["start"], mark["end"], mark["type"], mark["score"]) for mark in row["entities"])
        return Annotation(tuple(marks))
    if row.get("head") is None or row.get("tail") is None:
        return Annotation(label=row["label"], label_score=row["score"])
    pair = (_mark_end(row["head"]), _mark_end(row["tail"]))
    return Annotation(pair, (Link(0, 1, row["label"], row["score"]),))


def _mark_end(span: Sequence[int]) -> Mark:
    return Mark(span[0], span[1], UNTYPED)
