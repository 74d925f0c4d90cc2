"""ChatRequest: what goes over the wire, and the key under which the ledger keeps its answer.

The key is the hash of everything that is sent, base URL and model included, so a changed prompt, seed or schema
is a new request, and an unchanged one is never paid for twice. Trade-off: a change that cannot matter, such as a
local server's port, makes a new request too.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from cotpd.llm.answer_schema import is_object
from cotpd.llm.params import LlmParams
from cotpd.llm.server_address import check_address

Message = dict[str, Any]  # {"role": ..., "content": text or a list of content parts}, as in OpenAI's API


def encode_canonical(value: object) -> str:
    """Encode JSON in its one spelling: sorted keys, no spaces, characters unescaped.

    Raises:
        ValueError: It holds NaN or an infinity, which JSON lacks.
    """
    return _CANONICAL.encode(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def escape_lone_surrogates(text: str) -> str:
    """Escape each half of a surrogate pair in JSON, which otherwise cannot be written as UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def hash_text(text: str) -> str:
    """Return the SHA-256 of text in hex; a lone surrogate hashes like any other character."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class ChatRequest:
    """One HTTP request for a chat completion: the server's address and the JSON body."""

    base_url: str
    body: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """The request as canonical JSON: hashed for the key, and kept in the ledger."""
        return encode_canonical({"base_url": self.base_url, "body": self.body})

    @cached_property
    def key(self) -> str:
        """The ledger's key."""
        return hash_text(self.text)

    @property
    def max_answer_tokens(self) -> int:
        """The longest answer that the body allows; 0 if it does not say."""
        return int(self.body.get("max_tokens") or self.body.get("max_completion_tokens") or 0)

    @cached_property
    def without_schema(self) -> "ChatRequest | None":
        """The same request without a schema, for a server that refuses one; None if it has none."""
        if "response_format" not in self.body:
            return None
        body = {name: value for name, value in self.body.items() if name != "response_format"}
        return ChatRequest(self.base_url, body)

    @property
    def picture_urls(self) -> list[str]:
        """The data URLs of the pictures that the request shows."""
        contents = [message["content"] for message in self.body["messages"]]
        parts = chain.from_iterable(content for content in contents if isinstance(content, list))
        return [part["image_url"]["url"] for part in parts if part.get("type") == "image_url"]

    @classmethod
    def parse(cls, text: str) -> "ChatRequest":
        """Parse canonical JSON; raises ValueError or KeyError if it is no request."""
        value = json.loads(text)
        return cls(value["base_url"], value["body"])


def build_chat_request(
    params: LlmParams,
    messages: list[Message],
    *,
    max_tokens: int,
    schema: dict[str, Any] | None = None,
) -> ChatRequest:
    """Return the request that sends these messages with these parameters.

    Raises:
        ConfigError: ``llm.base_url`` is not an address, or holds a password.
    """
    body: dict[str, Any] = {
        "model": params.model,
        "messages": messages,
        params.length_key: max_tokens,
    }
    if params.temperature is not None:
        body["temperature"] = float(params.temperature)  # 0 and 0.0 must give the same key
    if params.seed is not None:
        body["seed"] = params.seed
    if schema is not None and is_object(schema) and params.structured:
        answer = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    body |= params.extra_body
    return ChatRequest(check_address(params.base_url), body)
