"""Whether a text is whole, and what is whole of one that is not.

Trade-off: form alone is looked at. A cut that happens to fall on the end of a sentence is not noticed, and short
labels without a full stop count as whole.
"""

import re

_SENTENCE_END = re.compile(r"[.!?…](?=[\"'”’)\]]*(?:\s|$))[\"'”’)\]]*")
_CLAUSE_END = re.compile(r"[;,](?=\s)")
_OPEN_WORDS = (
    "a an the and or but nor of to into in on at for from by with as is are was were be been being has have had "
    "will would can could that which who whose whom where when while because if than their its our your my"
)
_OPEN_END = re.compile(rf"[,:(\[{{\u2013\u2014-]\Z|\b(?:{'|'.join(_OPEN_WORDS.split())})\Z", re.IGNORECASE)


def breaks_off(text: str) -> bool:
    """Whether a text ends where no sentence can: on a comma, an open bracket or a word such as "the" or "who"."""
    return _OPEN_END.search(text.rstrip()) is not None


def ends_as_sentence(text: str) -> bool:
    """Whether a text ends with a mark and not in the middle of words."""
    text = text.rstrip()
    return bool(text) and not text[-1].isalnum() and not breaks_off(text)


def cut_at_last_sentence(text: str) -> str:
    """The text up to its last whole sentence, or else its last whole clause; empty where none is whole."""
    for border, keeps_mark in ((_SENTENCE_END, True), (_CLAUSE_END, False)):
        ends = [match.end() if keeps_mark else match.start() for match in border.finditer(text)]
        if ends:
            return text[: ends[-1]]
    return ""
