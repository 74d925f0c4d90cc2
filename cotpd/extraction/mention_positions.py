"""Where the mentions that a language model named stand in a post: it copies names, and we count.

The rules, in this order:

1. A mention stands at whole tokens. Its exact spelling goes before another case, other quotation marks or other
   spaces; if neither is there, it is looked for without the punctuation around it.
2. Longer mentions are placed first, then in the order of the answer.
3. A mention takes its first occurrence that no placed mention shares a token with. A name that was given twice
   takes two occurrences; a name that stands there three times and was given once is labelled once.
4. What has no occurrence, or none that is free, is left out with its reason.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cotpd.data.records import Entity, Span

_QUOTES = str.maketrans("’‘`“”„–—", "'''\"\"\"--")
_AROUND = " \t\n.,;:!?\"'()[]{}<>#@*_…"


class NamedMention(NamedTuple):
    """A mention as the model gave it: its text and its type."""

    text: str
    type: str


class Placement(NamedTuple):
    """The mentions that have a place, by position, and the reasons why others have none."""

    mentions: tuple[Entity, ...]
    problems: tuple[str, ...]


def place_mentions(text: str, offsets: Sequence[Span], mentions: Sequence[NamedMention]) -> Placement:
    """Place mentions in a post by the rules above.

    Args:
        text: The post.
        offsets: The characters of each token.
        mentions: In the order of the answer.
    """
    occurrences = [find_occurrences(text, offsets, mention.text) for mention in mentions]
    order = sorted(range(len(mentions)), key=lambda index: -_measure(occurrences[index]))
    occupied: set[int] = set()
    placed: list[Entity] = []
    problems: dict[int, str] = {}
    for index in order:
        span = next((span for span in occurrences[index] if occupied.isdisjoint(range(*span))), None)
        if span is None:
            problems[index] = _explain(mentions[index], occurrences[index])
            continue
        occupied |= set(range(*span))
        placed.append(Entity(start=span[0], end=span[1], type=mentions[index].type))
    placed.sort(key=lambda entity: entity.start)
    return Placement(tuple(placed), tuple(problems[index] for index in sorted(problems)))


def find_occurrences(text: str, offsets: Sequence[Span], name: str) -> list[Span]:
    """Return the spans of tokens at which a name stands, by position; exact spellings only, if there is one."""
    starts = {start: index for index, (start, _) in enumerate(offsets)}
    ends = {end: index + 1 for index, (_, end) in enumerate(offsets)}
    if not name.strip():
        return []
    for pattern, subject in _iterate_patterns(text, name):
        matches = [match.span() for match in re.finditer(pattern, subject)]
        spans = [(starts[start], ends[end]) for start, end in matches if start in starts and end in ends]
        if spans:
            return spans
    return []


def _iterate_patterns(text: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield a pattern and the text to look in: exact spelling, loose spelling, without punctuation around."""
    yield re.escape(name.strip()), text
    folded = _normalize(text)
    for words in (name.split(), name.strip(_AROUND).split()):
        if words:
            yield r"\s+".join(re.escape(_normalize(word)) for word in words), folded


def _normalize(text: str) -> str:
    """Return text in lower case with plain quotation marks, character by character so that offsets stay."""
    lowered = [character.lower() if len(character.lower()) == 1 else character for character in text]
    return "".join(lowered).translate(_QUOTES)


def _measure(occurrences: Sequence[Span]) -> int:
    """Return the length of a mention in tokens; 0 if it stands nowhere."""
    return max((end - start for start, end in occurrences), default=0)


def _explain(mention: NamedMention, occurrences: Sequence[Span]) -> str:
    if occurrences:
        return f"{mention.text!r} lies within another mention, or was named more often than it stands there"
    return f"{mention.text!r} does not stand in the post as whole words"
