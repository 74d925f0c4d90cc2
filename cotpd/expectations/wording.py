"""Judge the wording of a text, without Great Expectations: plain functions, each of which can be tested alone.

They examine form and not truth. A fluent falsehood passes; they catch what would spoil training in bulk: loops,
echoes, fragments, and lost mentions.
"""

import re
from collections.abc import Sequence, Set

from cotpd.completions import cut_at_last_sentence
from cotpd.data.tokenization import tokenize

_BULLET = re.compile(r"^\s*[-*•]\s+")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_MIN_WORDS_FOR_LOOP = 12
_LOOP_LENGTH = 3  # words in a row that are compared


def make_plain_line(text: str, *, cut_off: bool = False) -> str:
    """Return an answer as one line of plain words: bullets become clauses; bold type and extra space go.

    Args:
        text: As the model wrote it.
        cut_off: The answer ran into its limit: drop the words behind its last whole sentence, or else clause.
    """
    line = ""
    for part in filter(str.strip, text.splitlines()):
        continues_list = bool(_BULLET.match(part)) and bool(line) and line[-1] not in ".;:!?,"
        line += ("; " if continues_list else " ") + _BULLET.sub("", part).strip()
    plain = " ".join(_BOLD.sub(r"\2", line).split())
    return cut_at_last_sentence(plain) if cut_off else plain


def count_words(text: str) -> int:
    """Count the words that contain a letter or digit."""
    return sum(bool(keep_letters(word)) for word in text.split())


def keep_letters(text: str) -> str:
    """Return the letters and digits of a text in one case: equal for texts that differ in punctuation alone."""
    return "".join(character for character in text.casefold() if character.isalnum())


def is_copy(text: str, post: str, *, part: bool) -> bool:
    """Whether a text has the letters of the post and no others; with ``part``, of any stretch of the post."""
    letters, post_letters = keep_letters(text), keep_letters(post)
    if not letters:
        return False
    return letters in post_letters if part else letters == post_letters


def compute_repeated_share(text: str) -> float:
    """Return the share of three-word stretches that occurred before; 0 for a short text.

    Near 1 where a model got stuck ("person person person ..."), below 0.3 in ordinary prose.
    """
    words = [keep_letters(word) for word in text.split()]
    if len(words) < _MIN_WORDS_FOR_LOOP:
        return 0.0
    stretches = list(zip(*(words[start:] for start in range(_LOOP_LENGTH)), strict=False))
    return 1 - len(set(stretches)) / len(stretches)


def find_missing_mentions(mentions: Sequence[str], text: str) -> list[str]:
    """Return the mentions that do not stand in the text to the letter, between token borders."""
    tokens = tokenize(text, "characters")  # a particle behind a Korean mention is no reason to refuse it
    starts, ends = {token.start for token in tokens}, {token.end for token in tokens}
    return [mention for mention in mentions if not _has_mention(text, mention, starts, ends)]


def _has_mention(text: str, mention: str, starts: Set[int], ends: Set[int]) -> bool:
    """Whether a mention begins and ends at token borders anywhere in the text; all positions are characters."""
    start = text.find(mention)
    while start >= 0:
        if start in starts and start + len(mention) in ends:
            return True
        start = text.find(mention, start + 1)
    return False
