"""Whether a text is whole, and the whole sentences of a text that was cut.

Trade-off: only the form is examined. A cut right behind a sentence is not noticed, and a short label without a
full stop counts as whole.
"""

import re

_SENTENCE_END = re.compile(r"[.!?…](?=[\"'”’)\]]*(?:\s|$))[\"'”’)\]]*")
_CLAUSE_END = re.compile(r"[;,](?=\s)")
_OPEN_WORDS = (
    "a an the and or but nor of to into in on at for from by with as is are was were be been being has have had "
    "will would can could that which who whose whom where when while because if than their its our your my"
)
_OPEN_END = re.compile(rf"[,:(\[{{\u2013\u2014-]\Z|\b(?:{'|'.join(_OPEN_WORDS.split())})\Z", re.IGNORECASE)


def is_broken_off(text: str) -> bool:
    """Whether a text ends where no sentence can: on a comma, an open bracket or a word such as "the" or "who"."""
    return _OPEN_END.search(text.rstrip()) is not None


def has_sentence_end(text: str) -> bool:
    """Whether a text ends with a mark that can end a sentence, and not with a letter or digit."""
    text = text.rstrip()
    return bool(text) and not text[-1].isalnum() and not is_broken_off(text)


def cut_at_last_sentence(text: str) -> str:
    """Return the text up to its last whole sentence, or else its last whole clause; empty if neither is whole."""
    sentence_ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    if sentence_ends:
        return text[: sentence_ends[-1]]
    clause_ends = [match.start() for match in _CLAUSE_END.finditer(text)]
    return text[: clause_ends[-1]] if clause_ends else ""
