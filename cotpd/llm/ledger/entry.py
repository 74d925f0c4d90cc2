"""One row of the table of answers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from cotpd.llm.chat_request import ChatRequest, escape_lone_surrogates
from cotpd.llm.completion import read_completion


@dataclass(frozen=True)
class Entry:
    """An answer: the request as it went over the wire, and the raw body that came back.

    Attributes:
        key: SHA-256 of ``request``.
        request: Canonical JSON of address and body.
        response: The raw body.
        model: The model's name as the server reports it.
        finish_reason: Why the model stopped.
        prompt_tokens: Tokens sent, as the server counts them; None where it does not.
        completion_tokens: Tokens received, likewise.
        latency: Seconds from request to answer; None for a batch job or an import.
        created: UTC time in ISO format.
    """

    key: str
    request: str
    response: str
    model: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency: float | None = None
    created: str = ""

    @classmethod
    def from_response(cls, request: ChatRequest, response: str, latency: float | None = None) -> Self:
        """Build the row of a request and its raw answer, created now.

        Raises:
            ValueError: The answer is no chat completion.
        """
        completion = read_completion(response)
        return cls(
            key=request.key,
            request=escape_lone_surrogates(request.text),
            response=escape_lone_surrogates(response),
            model=completion.model,
            finish_reason=completion.finish_reason,
            prompt_tokens=completion.prompt_tokens,
            completion_tokens=completion.completion_tokens,
            latency=latency,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
