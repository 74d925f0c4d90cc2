"""What can be shown for a prediction: the training posts that the student reads alike, what was reasoned about
them when it learnt them, and where its prompt queries look.

Both are evidence and no causes: a neighbour was near in the student's own geometry, and attention says where was
looked. Neither says that the prediction would have been another one without it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cotpd.data.records import KNOWLEDGE_KINDS
from cotpd.student.attention import PromptAttention, prompt_attention
from cotpd.student.examples import Example, Span
from cotpd.student.heads import Found
from cotpd.student.neighbours import PAIR, Neighbour, Neighbours

Piece = tuple[str, str]  # a stretch of text, and what it is or ""
DIGITS = 4  # of a score, a similarity, a weight
STRONGEST = 3  # words of each query


@dataclass(frozen=True)
class Marked:
    """A stretch of a text, in characters, end exclusive, and what it is: a type, or head and tail of a pair."""

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
    """Caption and answers of the language model, by kind; what there was."""


@dataclass(frozen=True)
class Claim:
    """One prediction with its probability and the nearest training posts, the nearest first."""

    label: str
    score: float
    marks: list[Marked]
    neighbours: list[Support]


@dataclass(frozen=True)
class Look:
    """How much is looked at a word; of a query, its weights and ``elsewhere`` sum to 1."""

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
    """Of each query the words it looks at most."""


@dataclass(frozen=True)
class Explanation:
    """All that is shown for one post."""

    id: str
    text: str
    claims: list[Claim]
    attention: Looks | None
    """None of a student that reads no prompts."""


def explain(
    index: Neighbours, examples: Sequence[Example], found: Sequence[Sequence[Found]], count: int = 3
) -> list[Explanation]:
    """Explain predictions.

    Args:
        index: The training mentions of the student that predicted.
        examples: What was labelled.
        found: What ``Student.predict_examples`` found in them.
        count: Training posts to show for each prediction.
    """
    spans = [[(one.start, one.end) for one in some] for some in found]
    near = index.nearest(examples, spans, count)
    looks = prompt_attention(index.student, examples)
    return [
        Explanation(
            example.id,
            example.text,
            [_claim(example, one, some) for one, some in zip(claims, supports, strict=True)],
            None if look is None else _looks(example, look),
        )
        for example, claims, supports, look in zip(examples, found, near, looks, strict=True)
    ]


def chain(example: Example) -> dict[str, str]:
    """The reasoning chain of an example: what its picture shows, then the answers of the language model."""
    answers = {kind.value: example.knowledge[kind] for kind in KNOWLEDGE_KINDS if kind in example.knowledge}
    return ({"caption": example.caption} if example.caption else {}) | answers


def shorten(text: str, width: int = 160) -> str:
    """The text on one line: whole, or up to the last sentence or word that fits, with an ellipsis."""
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    cut = line[:width]
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s)", cut)]
    if ends and ends[-1] > width // 2:
        return cut[: ends[-1]] + " …"
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut[:-1]) + "…"


def excerpt(text: str, marks: Sequence[Marked], width: int = 240) -> list[Piece]:
    """The text in pieces, each with its role or ""; of a long text what stands around the marks."""
    low, high = window(text, marks, width)
    pieces: list[Piece] = [("…", "")] if low else []
    at = low
    for mark in sorted(marks, key=lambda one: one.start):
        if at <= mark.start and mark.end <= high:  # head and tail may overlap: one of them is shown
            pieces += [(text[at : mark.start], ""), (text[mark.start : mark.end], mark.role)]
            at = mark.end
    pieces += [(text[at:high], ""), ("…" if high < len(text) else "", "")]
    return [piece for piece in pieces if piece[0]]


def window(text: str, marks: Sequence[Marked], width: int) -> tuple[int, int]:
    """Where to cut a text that is longer than the width, so that the marks are in it: start and end."""
    if len(text) <= width:
        return 0, len(text)
    first, last = min(mark.start for mark in marks), max(mark.end for mark in marks)
    around = max(width - (last - first), 0) // 2
    return max(first - around, 0), min(last + around, len(text))


def _claim(example: Example, found: Found, near: Sequence[Neighbour]) -> Claim:
    marks = _marks(example, (found.start, found.end), found.label)
    return Claim(found.label, round(found.score, DIGITS), marks, [_support(one) for one in near])


def _support(near: Neighbour) -> Support:
    example = near.example
    marks = _marks(example, (near.start, near.end), near.label)
    similarity = round(near.similarity, DIGITS)
    return Support(example.id, similarity, near.label, example.text, marks, chain(example))


def _marks(example: Example, span: Span, label: str) -> list[Marked]:
    if span == PAIR and example.head is not None and example.tail is not None:
        return [_mark(example, example.head, "head"), _mark(example, example.tail, "tail")]
    return [_mark(example, span, label)]


def _mark(example: Example, span: Span, role: str) -> Marked:
    start, end = example.offsets[span[0]][0], example.offsets[span[1] - 1][1]
    return Marked(start, end, example.text[start:end], role)


def _looks(example: Example, found: PromptAttention) -> Looks:
    def look(word: int, weight: float) -> Look:
        return Look(*example.offsets[word], example.tokens[word], round(float(weight), DIGITS))

    words = [look(at, weight) for at, weight in enumerate(found.words)]
    queries = [[look(*one) for one in some] for some in found.strongest(STRONGEST)]
    return Looks(words, round(float(found.borders.mean()), DIGITS), queries)
