"""The finish reasons of many servers, reduced to a few.

The server's own word stays in the ledger and in the tables.
"""

import re
from enum import StrEnum

_WHOLE = {
    "stop",
    "stop_sequence",
    "stop_token",
    "end",
    "end_turn",
    "eos",
    "eos_token",
    "complete",
    "completed",
    "finish",
    "finished",
    "done",
    "success",
}
_CUT = re.compile(r"length|max_\w*tokens?|token_limit|context_window|context_limit|truncat|incomplete")
_WITHHELD = re.compile(
    r"refus|content_filter|filtered|safety|sensitive|recitation|blocklist|prohibited|spii|moderat|guardrail"
    r"|tool_|function_call|\Aempty\Z"
)
_FAILED = re.compile(
    r"error|abort|cancel|time_?d?_?out|fail|interrupt|preempt|insufficient_system|overload|shutdown|disconnect|unavailable"
)


class Stop(StrEnum):
    """The ways in which a completion ends.

    Attributes:
        WHOLE: The model ended it.
        CUT: The limit on its length ended it.
        WITHHELD: The model or the server refused to answer, or called a tool instead.
        FAILED: The server broke off; the same request may be answered when it is sent again.
        UNKNOWN: The server gives no reason, or one that is not known here.
    """

    WHOLE = "whole"
    CUT = "cut"
    WITHHELD = "withheld"
    FAILED = "failed"
    UNKNOWN = "unknown"


def classify_stop(finish_reason: str) -> Stop:
    """Return the kind of stop that a server's ``finish_reason`` names, whatever its spelling."""
    word = re.sub(r"[\s.-]+", "_", finish_reason.strip().lower()).removeprefix("finish_reason_")
    word = word.removeprefix("finishreason_")
    if word in _WHOLE:
        return Stop.WHOLE
    for pattern, stop in ((_WITHHELD, Stop.WITHHELD), (_CUT, Stop.CUT), (_FAILED, Stop.FAILED)):
        if pattern.search(word):
            return stop
    return Stop.UNKNOWN
