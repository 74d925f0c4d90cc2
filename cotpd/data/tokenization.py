"""Split text into words, for data sets that come without tokens.

The conventions are those of Twitter-2015/2017: handles and addresses are one token, ``#`` is a token of its own
(so that "#NASA" holds the mention "NASA"), clitics are split off, and every other symbol (an emoji with its
modifiers included) is one token.
"""

from collections.abc import Sequence
from typing import NamedTuple

import regex

from cotpd.data.records import Span

_WORD = r"[\p{L}\p{M}\p{N}_]+"
_TOKEN = regex.compile(
    rf"https?://\S+|@\w+|['’](?:s|re|ve|ll|d|m|t)\b|{_WORD}(?:[-.&]{_WORD})*|(?=\S)\X",
    regex.IGNORECASE,
)


class Token(NamedTuple):
    """A token and its character offsets in the text, end exclusive."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> list[Token]:
    """Split text into tokens; whatever stands between two tokens is white space."""
    return [Token(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]


def join_tokens(tokens: Sequence[str]) -> tuple[str, list[Span]]:
    """Join tokens with single spaces; return the text and each token's character offsets."""
    offsets = []
    position = 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return " ".join(tokens), offsets
