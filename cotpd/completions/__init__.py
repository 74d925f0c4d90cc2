"""From a raw completion to its answer: reasoning and control tokens are removed before any check reads it."""

from cotpd.completions.cleaning import CleanAnswer, clean_answer
from cotpd.completions.control_tokens import has_control_tokens, strip_control_tokens
from cotpd.completions.stops import Stop, classify_stop
from cotpd.completions.wholeness import cut_at_last_sentence, has_sentence_end, is_broken_off

__all__ = [
    "CleanAnswer",
    "Stop",
    "classify_stop",
    "clean_answer",
    "cut_at_last_sentence",
    "has_control_tokens",
    "has_sentence_end",
    "is_broken_off",
    "strip_control_tokens",
]
