"""Tags of any scheme into spans: IOB1, IOB2, IO, IOBES, BILOU, BMES, and types without a prefix.

One reading serves all schemes without an end: an I- that continues nothing opens a mention, and a B- always does.
Tags that mark ends are read by seqeval. A file's scheme is recognised so that a person can check it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from cotpd.data.bio import OUTSIDE, TypedSpan, decode_tags

_PLAIN, _ENDING = "BI", "ESLUMW"
_AS_IOBES = str.maketrans("LUMW", "ESIS")  # BILOU and BMES(W) in the letters of IOBES
Notation = Literal["prefix", "underscore", "suffix", "bare"]  # B-PER, B_PER, PER-B, PER
_UNDERSCORED = re.compile(rf"(?P<letter>[{_PLAIN}{_ENDING}])_(?P<type>.+)")
_SUFFIXED = re.compile(rf"(?P<type>.+)[-_](?P<letter>[{_PLAIN}{_ENDING}])")


class Reading(NamedTuple):
    """The spans of a post, and the number of those that open with a tag inside or at the end of a mention."""

    spans: list[TypedSpan]
    orphans: int


class TagReader:
    """Reads the tags of a file's posts, and says at its end which scheme they are in.

    Args:
        notation: How the tags of the file are written, as :func:`find_notation` says.
    """

    def __init__(self, notation: Notation = "prefix") -> None:
        self._notation = notation
        self._letters: Counter[str] = Counter()
        self._orphans = self._adjoining = 0

    def decode(self, tags: Sequence[str]) -> list[TypedSpan]:
        """Turn the tags of a post, one a token, into spans.

        Raises:
            ValueError: A tag is of no scheme.
        """
        tags = [_normalize(tag, self._notation) for tag in tags]
        letters = {tag[0] for tag in tags if is_tag(tag) and tag != OUTSIDE}
        reading = _read_ends(tags) if letters & set(_ENDING) else Reading(*decode_tags(tags))

        self._letters.update(letters)
        self._orphans += reading.orphans
        ends = {(span.end, span.type) for span in reading.spans}
        self._adjoining += sum(tags[span.start][0] == "B" and span[::2] in ends for span in reading.spans)
        self._letters["B alone"] += sum(
            tags[span.start][0] == "B" and span[::2] not in ends for span in reading.spans
        )
        return reading.spans

    def name_scheme(self) -> str:
        """Name the scheme of the tags that were read; it is empty if they hold no mention."""
        if self._letters.keys() & set("LU"):
            return "BILOU"
        if self._letters.keys() & set("MW"):
            return "BMES"
        if self._letters.keys() & set("ES"):
            return "IOBES"
        if self._letters["B"] and self._letters["B alone"]:
            return "IOB2"
        if self._letters["B"]:
            return "IOB1"
        return "IO" if self._letters["I"] else ""

    def summarize(self) -> Counter[str]:
        """Return scheme and orphans as counts of a reader; without B- an I- is no orphan."""
        scheme = self.name_scheme()
        counts = Counter({f"tag_scheme:{scheme}": 1} if scheme else {})
        if scheme not in ("IO", "IOB1"):
            counts["orphan_tags"] = self._orphans
        return counts


def is_tag(text: str) -> bool:
    """Whether a text is a tag with a prefix, or O."""
    return text == OUTSIDE or (text[:1] in _PLAIN + _ENDING and text[1:2] == "-" and len(text) > 2)


def may_be_tag(text: str) -> bool:
    """Whether a text is a tag with the letter of its scheme, in any notation, or O, also if 0 was typed for it."""
    is_other = _UNDERSCORED.fullmatch(text) or _SUFFIXED.fullmatch(text)
    return text == "0" or is_tag(_normalize(text, "prefix")) or bool(is_other)


def find_notation(tags: Iterable[str]) -> Notation:
    """Find how tags are written; without any but O, as types behind a prefix."""
    inside = [tag for tag in tags if tag not in (OUTSIDE, OUTSIDE.lower())]
    if not inside or any("-" in tag[1:2] for tag in inside):
        return "prefix"
    if all(map(_UNDERSCORED.fullmatch, inside)):
        return "underscore"
    return "suffix" if all(map(_SUFFIXED.fullmatch, inside)) else "bare"


def _normalize(tag: str, notation: Notation) -> str:
    """Return a tag with its letter, a capital, in front of a hyphen; one that is not of the notation as it is."""
    if tag == OUTSIDE.lower():
        return OUTSIDE
    if notation == "prefix":
        return tag[:1].upper() + tag[1:] if tag[1:2] == "-" else tag
    if notation == "bare":
        return tag if tag == OUTSIDE else f"I-{tag}"
    match = (_UNDERSCORED if notation == "underscore" else _SUFFIXED).fullmatch(tag)
    return f"{match['letter']}-{match['type']}" if match else tag


def _read_ends(tags: Sequence[str]) -> Reading:
    """Read tags that mark ends."""
    for tag in tags:
        if not is_tag(tag):
            raise ValueError(f"{tag!r} is not a tag of IOBES or BILOU (O, B-TYPE, I-TYPE, E-TYPE, S-TYPE)")
    from seqeval.metrics.sequence_labeling import get_entities  # noqa: PLC0415  of an extra, and slow to import

    iobes = [tag if tag == OUTSIDE else tag[0].translate(_AS_IOBES) + tag[1:] for tag in tags]
    spans = [TypedSpan(start, end + 1, label) for label, start, end in get_entities(iobes)]
    return Reading(spans, sum(iobes[span.start][0] in "IE" for span in spans))
