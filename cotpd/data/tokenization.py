"""Words and where they stand: the tokenizer for text that comes without tokens.

Social-media conventions of Twitter-2015/2017: handles and addresses are one token, ``#`` is a token of its
own (so that "#NASA" holds the mention "NASA"), clitics are split off, and every other symbol (an emoji with
its modifiers included) is one token.
"""

from typing import NamedTuple

import regex

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
    """Split text into tokens; joined with what stands between them they give the text back."""
    return [Token(m.group(), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def join_tokens(tokens: list[str]) -> tuple[str, list[tuple[int, int]]]:
    """Join tokens with single spaces; return the text and each token's character offsets."""
    offsets, at = [], 0
    for token in tokens:
        offsets.append((at, at + len(token)))
        at += len(token) + 1
    return " ".join(tokens), offsets
