"""Judgements on wording, free of Great Expectations: plain functions of text, so that each can be tested alone.

They look at form and not at truth. A fluent falsehood passes; what is caught is what would poison training in
bulk: loops, echoes, fragments, and mentions that got lost.
"""

import re
from collections.abc import Sequence

from cotpd.completions import cut_at_last_sentence
from cotpd.data.tokenization import tokenize

_BULLET = re.compile(r"^\s*[-*•]\s+")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_LONG = 12  # words from which a text is examined for loops
_PATTERN = 3  # words in a row that are compared


def tidy(text: str, *, cut_off: bool = False) -> str:
    """An answer as one line of plain words: bullets become clauses, bold type and extra space go.

    Args:
        text: As the model wrote it.
        cut_off: It ran into its limit; what follows the last whole sentence, or else clause, is dropped.
    """
    line = ""
    for part in filter(str.strip, text.splitlines()):
        bullet = bool(_BULLET.match(part)) and bool(line) and line[-1] not in ".;:!?,"
        line += ("; " if bullet else " ") + _BULLET.sub("", part).strip()
    plain = " ".join(_BOLD.sub(r"\2", line).split())
    return cut_at_last_sentence(plain) if cut_off else plain


def count_words(text: str) -> int:
    """Words that hold a letter or digit."""
    return sum(any(character.isalnum() for character in word) for word in text.split())


def letters(text: str) -> str:
    """Letters and digits alone, in one case: what stays of a text that is only punctuated differently."""
    return "".join(character for character in text.casefold() if character.isalnum())


def copies(text: str, post: str, *, part: bool) -> bool:
    """Whether a text says nothing but what the post says: all of it, or with ``part`` any stretch of it."""
    mine, theirs = letters(text), letters(post)
    return bool(mine) and (mine in theirs if part else mine == theirs)


def repeats_itself(text: str) -> float:
    """The share of three-word stretches that occurred before; 0 for a short text.

    Near 1 where a model got stuck ("person person person ..."), below 0.3 in ordinary prose.
    """
    words = [letters(word) for word in text.split()]
    if len(words) < _LONG:
        return 0.0
    stretches = list(zip(*(words[start:] for start in range(_PATTERN)), strict=False))
    return 1 - len(set(stretches)) / len(stretches)


def missing(mentions: Sequence[str], text: str) -> list[str]:
    """Mentions that do not stand in the text to the letter, between token borders."""
    tokens = tokenize(text)
    starts, ends = {token.start for token in tokens}, {token.end for token in tokens}
    return [mention for mention in mentions if not _stands(mention, text, starts, ends)]


def _stands(mention: str, text: str, starts: set[int], ends: set[int]) -> bool:
    at = text.find(mention)
    while at >= 0:
        if at in starts and at + len(mention) in ends:
            return True
        at = text.find(mention, at + 1)
    return False
