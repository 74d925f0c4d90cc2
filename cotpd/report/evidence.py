"""The training posts near to what a student predicted, and the predictions that are explained in full, as files.

The evaluate step writes both, since they need the student; the page is built from the files alone.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cotpd.data.records import Record, Span
from cotpd.evaluation.explanation import Claim, cut_excerpt, shorten
from cotpd.evaluation.showcase import Explained, shade_text
from cotpd.student.examples import Example
from cotpd.student.tasks import Prediction

if TYPE_CHECKING:
    from cotpd.student.neighbours import Neighbour, Neighbours

NEAREST, EXPLAINED = "nearest.jsonl", "explained.json"  # in the folder of an evaluation
_DIGITS = 3  # of a similarity; further ones differ between processors
_SHADES = 9  # strengths of the colour of a word


class NearPost(Record):
    """A training post: id, span of its mention (tokens; None: its pair), gold label, similarity."""

    id: str
    span: Span | None = None
    label: str
    similarity: float


class NearestRow(Record):
    """The training posts near to one span of an example (None: the example as a whole), the nearest first."""

    id: str
    split: str
    span: Span | None = None
    posts: tuple[NearPost, ...]


def find_nearest_posts(
    index: "Neighbours", examples: Mapping[str, Example], predictions: Sequence[Prediction], count: int
) -> list[NearestRow]:
    """Return the training posts near to each span that the student predicted or should have.

    Args:
        index: The training mentions of the student that predicted.
        examples: By id, those of the predictions.
        predictions: The student's.
        count: Training posts for each span.
    """
    rows = []
    members = [examples[prediction.id] for prediction in predictions]
    spans = [
        _list_spans(index, example, prediction) for example, prediction in zip(members, predictions, strict=True)
    ]
    nearest = index.find_nearest(members, spans, count)
    for prediction, own_spans, neighbours in zip(predictions, spans, nearest, strict=True):
        for span, posts in zip(own_spans, neighbours, strict=True):
            neighbours_of_span = tuple(map(_build_near_post, posts))
            rows.append(NearestRow(id=prediction.id, split=prediction.split, span=span, posts=neighbours_of_span))
    return rows


def _list_spans(index: "Neighbours", example: Example, prediction: Prediction) -> list[Span | None]:
    """Return the spans of predicted and of gold labels, each once, in the order of the text."""
    predicted = [label.span for label, _ in prediction.match_gold()]
    gold = [span for span, _ in index.student.labels.definition.list_targets(example)]
    return sorted({*predicted, *gold}, key=lambda span: span or (0, 0))


def _build_near_post(neighbour: "Neighbour") -> NearPost:
    similarity = round(neighbour.similarity, _DIGITS)
    return NearPost(id=neighbour.example.id, span=neighbour.span, label=neighbour.label, similarity=similarity)


def list_explained(explained: Mapping[str, Sequence[Explained]]) -> list[dict[str, Any]]:
    """Return explained predictions as JSON: a list of them under each title."""
    return [
        {"title": title, "predictions": [_describe_prediction(member) for member in members]}
        for title, members in explained.items()
    ]


def _describe_prediction(explained: Explained) -> dict[str, Any]:
    claim = explained.explanation.claims[0]
    shades = [
        {"text": shade.text, "strength": round(_SHADES * shade.strength), "marked": shade.marked}
        for shade in shade_text(explained.explanation, claim)
    ]
    return {
        "id": explained.pick.id,
        "label": claim.label,
        "score": claim.score,
        "is_right": explained.pick.is_right,
        "truth": explained.truth,
        "has_attention": explained.explanation.attention is not None,
        "shades": shades,
        "posts": _describe_support(claim),
    }


def _describe_support(claim: Claim) -> list[dict[str, Any]]:
    """Return the training posts behind a prediction, the pieces of each with their roles."""
    return [
        {
            "similarity": support.similarity,
            "pieces": cut_excerpt(support.text, support.marks),
            "label": support.label if len(support.marks) > 1 else "",
            "chain": {kind: shorten(text) for kind, text in support.chain.items()},
        }
        for support in claim.neighbours
    ]
