"""Completion: what a server's raw answer says."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Completion:
    """A raw answer, parsed leniently because the ledger holds answers of many servers.

    Attributes:
        text: The text as the model wrote it; :func:`cotpd.completions.clean_answer` extracts the answer.
        finish_reason: Why the model stopped, in the server's word.
        model: The model's name as the server reports it.
        prompt_tokens: Tokens sent, None if the server does not count them.
        completion_tokens: Tokens received, likewise.
        reasoned: The server sent the model's reasoning in a field of its own, which is kept raw and not read.
    """

    text: str
    finish_reason: str
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoned: bool = False


def read_completion(raw: str) -> Completion:
    """Parse the raw body of a chat completion.

    A body without a choice becomes an empty text with finish reason ``empty``, a refusal its text with finish
    reason ``refusal``; a server's error beside a piece of an answer becomes finish reason ``error``.

    Raises:
        ValueError: It is not a chat completion: not JSON, cut off, or without ``choices`` that are objects.
    """
    try:
        body = json.loads(raw)
    except RecursionError:
        raise ValueError("brackets nested too deeply") from None
    if not isinstance(body, dict) or not isinstance(body.get("choices"), list):
        raise ValueError("no chat completion: it has no choices")
    usage = body["usage"] if isinstance(body.get("usage"), dict) else {}
    choice = body["choices"][0] if body["choices"] else {"finish_reason": "empty"}
    message = (choice.get("message") or {}) if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        raise ValueError("no chat completion: its choice holds no message")
    refusal = message.get("refusal")
    finish_reason = "refusal" if refusal else _parse_name(choice.get("finish_reason"))
    if body.get("error") or choice.get("error"):
        finish_reason = "error"
    return Completion(
        text=_join_text(refusal or message.get("content")),
        finish_reason=finish_reason,
        model=_parse_name(body.get("model")),
        prompt_tokens=parse_token_count(usage.get("prompt_tokens")),
        completion_tokens=parse_token_count(usage.get("completion_tokens")),
        reasoned=bool(message.get("reasoning_content") or message.get("reasoning")),
    )


def parse_token_count(value: object) -> int | None:
    """Return a token count as an integer, or None if it is no plausible count.

    A negative or huge number, which some servers send, would lift a spending limit or overflow the column.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value < 2**31 else None


def _parse_name(value: object) -> str:
    return _join_text(str(value or "")).replace("\0", "\ufffd")  # PostgreSQL refuses a NUL in a text column


def _is_text_part(part: dict[str, Any]) -> bool:
    """Whether a content part is text of the answer; some servers send reasoning as parts of another type."""
    return part.get("type", "text") in ("text", "output_text")


def _join_text(content: object) -> str:
    """Return the text of a message's content, which is a string or a list of content parts."""
    if isinstance(content, list):  # some servers answer in content parts
        texts = (part.get("text") for part in content if isinstance(part, dict) and _is_text_part(part))
        content = "".join(text for text in texts if isinstance(text, str))
    if not isinstance(content, str):
        return ""
    # a lone surrogate is no character, and could not be written to a table
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
