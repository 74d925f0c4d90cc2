"""The one place that turns what a model wrote into the text of its answer."""

from dataclasses import dataclass

from cotpd.completions.control_tokens import strip_control_tokens
from cotpd.completions.reasoning import remove_reasoning, unwrap_answer


@dataclass(frozen=True)
class CleanAnswer:
    """An answer's text.

    Attributes:
        text: Without reasoning, without control tokens around it; empty where the reasoning did not end.
        finished: The model's reasoning, if it wrote any down, came to its end.
        reasoned: There was reasoning in the text.
    """

    text: str
    finished: bool = True
    reasoned: bool = False


def clean_answer(raw: str) -> CleanAnswer:
    """Remove reasoning, then control tokens and the tags that some models put around an answer."""
    remaining, finished = remove_reasoning(raw)
    text = strip_control_tokens(unwrap_answer(strip_control_tokens(remaining)))
    if text == raw.strip():
        return CleanAnswer(raw)  # an answer without marks stays as it is, to the byte
    return CleanAnswer(text, finished, reasoned=not finished or len(remaining) < len(raw))
