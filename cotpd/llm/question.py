"""A question: what is asked about which post, before a model and its parameters are chosen."""

from dataclasses import dataclass
from typing import Any

from cotpd.data.records import Kind
from cotpd.llm.chat_request import ChatRequest, Message, build_chat_request
from cotpd.llm.draws import build_draw_params
from cotpd.llm.params import LlmParams


@dataclass(frozen=True)
class Question:
    """One question about one post.

    Attributes:
        id: The post's id, or a picture's name.
        kind: Which of the questions it is.
        messages: The filled-in prompt. Pictures travel as content parts of a message (data URLs).
        schema: JSON Schema of the answer; None for free text.
        reading_schema: What the answer is checked against, if that is more lenient than ``schema``.
        draw: Which of several answers to the same question; 0 is the first.
        max_tokens: The longest answer.
        limit: The parameter that ``max_tokens`` comes from, named when an answer is cut off.
    """

    id: str
    kind: Kind
    messages: list[Message]
    schema: dict[str, Any] | None = None
    max_tokens: int = 64
    limit: str = "ask.max_tokens"
    reading_schema: dict[str, Any] | None = None
    draw: int = 0

    def build_request(self, params: LlmParams) -> ChatRequest:
        """Return the chat request that asks the configured model this question.

        Raises:
            ConfigError: ``llm.base_url`` is not an address, or holds a password; or a further draw would be the
                same request.
        """
        params = build_draw_params(params, self.draw)
        return build_chat_request(params, self.messages, max_tokens=self.max_tokens, schema=self.schema)
