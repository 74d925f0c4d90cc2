"""From a raw completion to its answer: reasoning and control tokens are removed before anything looks at it."""

from cotpd.completions.cleaning import CleanAnswer, clean_answer
from cotpd.completions.control_tokens import holds_control_tokens, strip_control_tokens
from cotpd.completions.stops import Stop, classify_stop
from cotpd.completions.wholeness import breaks_off, cut_at_last_sentence, ends_as_sentence

__all__ = [
    "CleanAnswer",
    "Stop",
    "breaks_off",
    "classify_stop",
    "clean_answer",
    "cut_at_last_sentence",
    "ends_as_sentence",
    "holds_control_tokens",
    "strip_control_tokens",
]
