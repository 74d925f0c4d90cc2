"""BIO tags and the spans they stand for, in the reading that published scores use.

conlleval, and seqeval in its default mode, let an I- tag that continues nothing of its own type open an entity; a
strict IOB2 reading drops such orphans. Twitter-2015 holds 239 of them, so the choice moves its scores. The lenient
reading is taken everywhere, and orphans are counted so that a data set's own faults stay visible.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Span(NamedTuple):
    """An entity over tokens ``start`` to ``end`` (exclusive)."""

    start: int
    end: int
    type: str


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into its prefix and its type; O has an empty type.

    Raises:
        ValueError: It is neither O nor B- or I- and a type.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, kind = tag.partition("-")
    if prefix not in ("B", "I") or not dash or not kind.strip():
        raise ValueError(f"{tag!r} is not a BIO tag (O, B-TYPE or I-TYPE)")
    return prefix, kind


def read_tags(tags: Sequence[str]) -> tuple[list[Span], int]:
    """Turn a tag per token into spans, in order, and count the orphans.

    Returns:
        The spans, and how many of them an I- tag opened because no B- or I- of its type stood before it.

    Raises:
        ValueError: One of them is not a BIO tag.
    """
    spans: list[Span] = []
    orphans = 0
    start, open_type = 0, ""
    for at, (prefix, kind) in enumerate([*map(split_tag, tags), (OUTSIDE, "")]):
        goes_on = prefix == "I" and kind == open_type
        if open_type and not goes_on:
            spans.append(Span(start, at, open_type))
        if kind and not goes_on:
            start = at
            orphans += prefix == "I"
        open_type = kind
    return spans, orphans


def tags_to_spans(tags: Sequence[str]) -> list[Span]:
    """Like :func:`read_tags`, without the count."""
    return read_tags(tags)[0]


def spans_to_tags(spans: Iterable[tuple[int, int, str]], length: int) -> list[str]:
    """Write spans as one BIO tag for each of ``length`` tokens; every span opens with a B-.

    Raises:
        ValueError: A span is empty, leaves the tokens, or overlaps another, which BIO cannot express.
    """
    tags = [OUTSIDE] * length
    for start, end, kind in spans:
        if not 0 <= start < end <= length:
            raise ValueError(f"span {start}:{end} does not fit {length} tokens")
        if any(tag != OUTSIDE for tag in tags[start:end]):
            raise ValueError(f"span {start}:{end} overlaps another one")
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags
