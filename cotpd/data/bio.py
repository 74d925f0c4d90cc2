"""Read and write BIO tags, in the reading that published scores use.

conlleval, and seqeval in its default mode, let an I- tag that continues nothing of its own type open an entity; a
strict IOB2 reading drops such orphans. Twitter-2015 holds 239 of them, so the choice moves its scores. This module
reads leniently and counts the orphans, so that the faults of a data set stay visible.
"""

from collections.abc import Iterable
from typing import NamedTuple

from cotpd.counts import format_count

OUTSIDE = "O"


class TypedSpan(NamedTuple):
    """An entity over the tokens ``start`` to ``end`` (exclusive)."""

    start: int
    end: int
    type: str


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into its prefix and its type; the type of O is empty.

    Raises:
        ValueError: The tag is neither O nor B- or I- with a type.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, label = tag.partition("-")
    if prefix not in ("B", "I") or not dash or not label.strip():
        raise ValueError(f"{tag!r} is not a BIO tag (O, B-TYPE or I-TYPE)")
    return prefix, label


def decode_tags(tags: Iterable[str]) -> tuple[list[TypedSpan], int]:
    """Turn the tags of a post, one a token, into spans, and count the orphans.

    Returns:
        The spans in order, and how many of them open with an I- tag.

    Raises:
        ValueError: A tag is not a BIO tag.
    """
    spans: list[TypedSpan] = []
    orphans = 0
    start, open_label = 0, ""
    for position, (prefix, label) in enumerate([*map(split_tag, tags), (OUTSIDE, "")]):
        continues = prefix == "I" and label == open_label
        if open_label and not continues:
            spans.append(TypedSpan(start, position, open_label))
        if label and not continues:
            start = position
            orphans += prefix == "I"
        open_label = label
    return spans, orphans


def encode_spans(spans: Iterable[tuple[int, int, str]], length: int) -> list[str]:
    """Turn spans (start, end, type) into one BIO tag for each of ``length`` tokens; every span opens with a B-.

    Raises:
        ValueError: A span is empty, leaves the tokens, or overlaps another one, which BIO cannot express.
    """
    tags = [OUTSIDE] * length
    for start, end, label in spans:
        if not 0 <= start < end <= length:
            raise ValueError(f"the entity at tokens {start} to {end} does not fit {format_count(length, 'token')}")
        if any(tag != OUTSIDE for tag in tags[start:end]):
            raise ValueError(f"the entity at tokens {start} to {end} overlaps another one")
        tags[start:end] = [f"B-{label}", *[f"I-{label}"] * (end - start - 1)]
    return tags
