"""The meaning of a server's refusal: try again later, give up this request, or end the run."""

from typing import TYPE_CHECKING

from cotpd.errors import LlmError
from cotpd.llm.outcome import UnansweredError

if TYPE_CHECKING:
    import openai

_TRANSIENT_STATUSES = {408, 409, 425, 429}  # below 500
_MAX_QUOTED = 300  # characters of a server's message

_CHECK_REQUEST = "The server does not take this request: look at the post, the prompt and the parameters."
_REMEDY_OF_FIELD = {  # the first field that the message names counts
    "response_format": "Set llm.structured: false, and the prompt's schema is not sent.",
    "max_completion_tokens": "Set llm.length_key: max_completion_tokens.",
    "temperature": "Set llm.temperature: null, and no temperature is sent.",
    "seed": "Set llm.seed: null, and no seed is sent.",
}


class TransientError(Exception):
    """One try failed, and a later try may succeed.

    Attributes:
        retry_after: Seconds that the server asks to wait; None if it does not say.
        billed: The server may have produced an answer, and bill it.
    """

    def __init__(self, reason: str, retry_after: float | None = None, *, billed: bool = False) -> None:
        super().__init__(reason)
        self.retry_after, self.billed = retry_after, billed


def is_transient_status(status: int) -> bool:
    """Whether a request that got this status may succeed later."""
    return status in _TRANSIENT_STATUSES or status >= 500


def build_refusal(
    status: int, quoted_message: str, *, message: str | None = None, field: str | None = None
) -> UnansweredError:
    """Return the error for a request that the server refuses, with the remedy for the field that it names.

    Args:
        status: The HTTP status.
        quoted_message: The server's message, shortened for display.
        message: The whole message, in which fields are looked for; None takes the shortened one.
        field: The field that the server names apart from the message.
    """
    text = quoted_message if message is None else message
    fields = [name for name in _REMEDY_OF_FIELD if name == field]
    fields = fields or [name for name in _REMEDY_OF_FIELD if name in text]
    refused_field = fields[0] if fields else ""
    remedy = _REMEDY_OF_FIELD.get(refused_field, _CHECK_REQUEST)
    return UnansweredError(
        f"status {status}: {quoted_message}", remedy, transient=False, refused_field=refused_field
    )


def explain_fatal_status(
    error: "openai.APIStatusError", message: str, *, server: str, key_variable: str, model: str
) -> LlmError | None:
    """Return the error that ends the run, if no other request can succeed after this status; None otherwise.

    Args:
        error: The server's answer.
        message: Its message, shortened and without secrets.
        server: How to call the server in a message.
        key_variable: The environment variable of the API key; empty if none is named.
        model: The configured model.
    """
    status = error.status_code
    if status in (401, 403):  # the message is not quoted: it may contain parts of the key
        remedy = (
            f"Export a valid one in {key_variable}." if key_variable else "Name its variable under api_key_env."
        )
        return LlmError(f"{server} refuses the API key ({status})", remedy)
    if status == 402 or "insufficient_quota" in (error.code, error.type):
        remedy = "Add credit; the answers so far are in the ledger."
        return LlmError(f"{server} says that the quota is used up", remedy)
    if status == 404:
        remedy = f"Check llm.model ({model}) and llm.base_url, which mostly ends in /v1."
        return LlmError(f"{server} answers 404: {message}", remedy)
    return None


def describe_broken_answer(finish_reason: str) -> str:
    """Return the reason to give for an answer that the server stopped in the middle."""
    return f"the server broke off its answer (finish_reason {quote(finish_reason)})"


def quote(text: str) -> str:
    """Return a server's text on one line, shortened, and without characters that could steer a terminal."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(printable.split())
    return line if len(line) <= _MAX_QUOTED else line[:_MAX_QUOTED] + " ..."


def read_error_message(error: "openai.APIStatusError") -> str:
    """Return the message of a refusal, or its whole body if it has no message where OpenAI puts one.

    The openai package writes the status before a message, and the status alone if it finds none.
    """
    message = error.message.removeprefix(f"Error code: {error.status_code}").removeprefix(" - ")
    return message or error.response.text.strip() or "nothing else"
