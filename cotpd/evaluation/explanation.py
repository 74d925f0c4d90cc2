"""Evidence for a prediction: the training posts that the student reads alike, the reasoning that it learnt them
with, and where its prompt queries look.

Evidence is no cause: a neighbour is near in the student's own geometry, and attention says where the model looked.
Neither says that the prediction would be another one without it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cotpd.data.records import KNOWLEDGE_KINDS
from cotpd.student.examples import Example
from cotpd.student.tasks import Predicted, Span

if TYPE_CHECKING:
    from cotpd.student.attention import PromptAttention
    from cotpd.student.neighbours import Neighbour, Neighbours

Piece = tuple[str, str]  # a stretch of text, and its role or ""
DIGITS = 4  # of a score, a similarity, a weight
STRONGEST = 3  # words of each query


@dataclass(frozen=True)
class Marked:
    """A stretch of a text, in characters, end exclusive, and its role: a type, or head or tail of a pair."""

    start: int
    end: int
    text: str
    role: str


@dataclass(frozen=True)
class Support:
    """A training post near to a prediction: its gold label, and the reasoning that the student learnt it with."""

    id: str
    similarity: float
    label: str
    text: str
    marks: list[Marked]
    chain: dict[str, str]
    """Caption and answers of the language model, by kind; those that there were."""


@dataclass(frozen=True)
class Claim:
    """One prediction with its probability and the nearest training posts, the nearest first."""

    label: str
    score: float
    marks: list[Marked]
    neighbours: list[Support]


@dataclass(frozen=True)
class Look:
    """The attention to a word; over a post, the weights of a query and its ``elsewhere`` sum to 1."""

    start: int
    end: int
    text: str
    weight: float


@dataclass(frozen=True)
class Looks:
    """The attention of the prompt queries over a post."""

    words: list[Look]
    """Every word, the mean over the queries."""
    elsewhere: float
    """The mean weight on special tokens and markers."""
    queries: list[list[Look]]
    """For each query the words with its largest weights."""


@dataclass(frozen=True)
class Explanation:
    """The evidence for one post's predictions."""

    id: str
    text: str
    claims: list[Claim]
    attention: Looks | None
    """None if the student reads no prompts."""


def explain(
    index: "Neighbours", examples: Sequence[Example], predicted: Sequence[Sequence[Predicted]], count: int = 3
) -> list[Explanation]:
    """Return the evidence for each example's predictions.

    Args:
        index: The training mentions of the student that predicted.
        examples: The labelled examples.
        predicted: By ``Student.predict_examples`` on the same examples.
        count: Training posts to show for each prediction.
    """
    spans = [_list_spans(predictions) for predictions in predicted]
    nearest = index.find_nearest(examples, spans, count)
    from cotpd.student.attention import compute_prompt_attention  # noqa: PLC0415  needs torch; a page of claims does not

    attentions = compute_prompt_attention(index.student, examples)

    explanations = []
    for example, predictions, neighbours, attention in zip(examples, predicted, nearest, attentions, strict=True):
        claims = [
            _build_claim(example, prediction, supports)
            for prediction, supports in zip(predictions, neighbours, strict=True)
        ]
        looks = None if attention is None else _build_looks(example, attention)
        explanations.append(Explanation(example.id, example.text, claims, looks))
    return explanations


def collect_reasoning(example: Example) -> dict[str, str]:
    """Return an example's reasoning chain: the caption of its picture, then the language model's answers."""
    answers = {kind.value: example.knowledge[kind] for kind in KNOWLEDGE_KINDS if kind in example.knowledge}
    return ({"caption": example.caption} if example.caption else {}) | answers


def shorten(text: str, width: int = 160) -> str:
    """Return the text on one line: whole, or up to the last sentence or word that fits, with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    cut = line[:width]
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s)", cut)]
    if ends and ends[-1] > width // 2:
        return cut[: ends[-1]] + " …"
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut[:-1]) + "…"


def cut_excerpt(text: str, marks: Sequence[Marked], width: int = 240) -> list[Piece]:
    """Return the text in pieces, each with its role or ""; of a long text, the part around the marks.

    Head and tail of a pair may overlap: the first one is shown.
    """
    low, high = find_window(text, marks, width)
    pieces: list[Piece] = [("…", "")] if low else []
    position = low
    for mark in sorted(marks, key=lambda mark: mark.start):
        if position <= mark.start and mark.end <= high:
            pieces += [(text[position : mark.start], ""), (text[mark.start : mark.end], mark.role)]
            position = mark.end
    pieces += [(text[position:high], ""), ("…" if high < len(text) else "", "")]
    return [piece for piece in pieces if piece[0]]


def find_window(text: str, marks: Sequence[Marked], width: int) -> tuple[int, int]:
    """Return where to cut a text, start and end, so that it is about ``width`` long and holds all marks."""
    if len(text) <= width:
        return 0, len(text)
    first, last = min((mark.start for mark in marks), default=0), max((mark.end for mark in marks), default=0)
    around = max(width - (last - first), 0) // 2
    return max(first - around, 0), min(last + around, len(text))


def _build_claim(example: Example, prediction: Predicted, neighbours: Sequence["Neighbour"]) -> Claim:
    """Return a prediction with its marks in the text, and its neighbours as support, the nearest first."""
    marks = _mark_target(example, prediction.span, prediction.label)
    supports = [_build_support(neighbour) for neighbour in neighbours]
    return Claim(prediction.label, round(prediction.score, DIGITS), marks, supports)


def _build_support(neighbour: "Neighbour") -> Support:
    """Return a training post with its gold marks and its reasoning chain."""
    example, label = neighbour.example, neighbour.label
    marks = _mark_target(example, neighbour.span, label)
    similarity = round(neighbour.similarity, DIGITS)
    return Support(example.id, similarity, label, example.text, marks, collect_reasoning(example))


def _mark_target(example: Example, span: Span | None, label: str) -> list[Marked]:
    """Return the mention of a span, or head and tail of the example's pair."""
    if span is not None:
        return [_mark_span(example, span, label)]
    pair = {"head": example.head, "tail": example.tail}
    return [_mark_span(example, mention, role) for role, mention in pair.items() if mention is not None]


def _mark_span(example: Example, span: Span, role: str) -> Marked:
    """Return the characters of a span of tokens, with a role."""
    start, end = example.offsets[span[0]][0], example.offsets[span[1] - 1][1]
    return Marked(start, end, example.text[start:end], role)


def _list_spans(predictions: Sequence[Predicted]) -> list[Span | None]:
    """Return the span of each prediction; None for that of a pair or post."""
    return [prediction.span for prediction in predictions]


def _build_looks(example: Example, attention: "PromptAttention") -> Looks:
    """Return the attention of all words, and of each query's strongest ones, with their place in the text."""
    words = [_build_look(example, index, weight) for index, weight in enumerate(attention.words)]
    queries = [
        [_build_look(example, word, weight) for word, weight in strongest]
        for strongest in attention.find_strongest(STRONGEST)
    ]
    return Looks(words, round(float(attention.elsewhere.mean()), DIGITS), queries)


def _build_look(example: Example, word: int, weight: float) -> Look:
    """Return the attention to a word, given by its index in the example."""
    start, end = example.offsets[word]
    return Look(start, end, example.tokens[word], round(float(weight), DIGITS))
