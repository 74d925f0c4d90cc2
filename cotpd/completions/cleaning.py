"""Turn a raw completion into the text of its answer."""

from dataclasses import dataclass

from cotpd.completions.control_tokens import strip_control_tokens
from cotpd.completions.reasoning import remove_reasoning, strip_answer_tags


@dataclass(frozen=True)
class CleanAnswer:
    """An answer's text.

    Attributes:
        text: The answer, without reasoning or control tokens around it; empty if the reasoning did not end.
        finished: False if the completion ends inside the model's reasoning.
        reasoned: True if the completion holds reasoning.
    """

    text: str
    finished: bool = True
    reasoned: bool = False


def clean_answer(raw: str) -> CleanAnswer:
    """Remove reasoning, then control tokens and the tags that some models put around an answer.

    A completion without any of these comes back as it is, to the byte.
    """
    remaining, finished = remove_reasoning(raw)
    text = strip_control_tokens(strip_answer_tags(strip_control_tokens(remaining)))

    if text == raw.strip():
        return CleanAnswer(raw)
    return CleanAnswer(text, finished, reasoned=not finished or len(remaining) < len(raw))
