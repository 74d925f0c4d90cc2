"""Rows of named entities for property tests: spans of both sides, drawn at random."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from cotpd.student.tasks import NerPrediction

TYPES = ("PER", "LOC", "B-TEAM")  # a type may itself look like a tag
_GAPS = st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from(TYPES))


@st.composite
def draw_spans(draw: st.DrawFn) -> list[list[Any]]:
    """Draw the spans of one side, which do not overlap."""
    spans, position = [], 0
    for gap, length, kind in draw(st.lists(_GAPS, max_size=4)):
        spans.append([position + gap, position + gap + length, kind])
        position += gap + length
    return spans


ner_rows = st.lists(st.tuples(draw_spans(), draw_spans()), min_size=1, max_size=6)


def make_mentions(pairs: Sequence[tuple[Any, Any]]) -> list[NerPrediction]:
    """Make a prediction of each pair of gold and predicted spans."""
    return [
        NerPrediction(id=str(number), split="test", model="student", gold=gold, predicted=predicted)
        for number, (gold, predicted) in enumerate(pairs)
    ]
