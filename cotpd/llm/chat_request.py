"""What goes over the wire, and what came back: request bodies, their keys, and the reading of raw answers.

The key of an answer is the hash of everything that was sent, base URL and model included, so that a changed
prompt, seed or schema is a new question and an unchanged one is never paid for twice. The price: a change
that cannot matter, such as a local server's port, is a new question too.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import urlsplit

from cotpd.errors import ConfigError
from cotpd.llm.answer_schema import is_object
from cotpd.llm.params import LlmParams

Message = dict[
    str, Any
]  # {"role": ..., "content": text or a list of content parts} as in OpenAI's chat completions


def encode_canonical(value: object) -> str:
    """JSON with one spelling: sorted keys, no spaces, characters as they are.

    Raises:
        ValueError: NaN or an infinity, which JSON does not have.
    """
    return _CANONICAL.encode(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def storable(text: str) -> str:
    """JSON that can be written as UTF-8: half a surrogate pair, which stands in strings alone, as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def digest(text: str) -> str:
    """Sha256 of text, in hex. A lone surrogate, which a post may hold, hashes like any other character."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class ChatRequest:
    """One HTTP request: the server's address and the body that it is sent."""

    base_url: str
    body: dict[str, Any]

    @cached_property
    def text(self) -> str:
        """The call as canonical JSON: what is hashed and what the ledger keeps."""
        return encode_canonical({"base_url": self.base_url, "body": self.body})

    @cached_property
    def key(self) -> str:
        """The ledger key."""
        return digest(self.text)

    @property
    def most(self) -> int:
        """Tokens that the answer may have; 0 where the body does not say."""
        return int(self.body.get("max_tokens") or self.body.get("max_completion_tokens") or 0)

    @cached_property
    def plain(self) -> "ChatRequest | None":
        """The same call without a schema, for a server that refuses one; None where it has none."""
        if "response_format" not in self.body:
            return None
        return ChatRequest(
            self.base_url, {name: value for name, value in self.body.items() if name != "response_format"}
        )

    @property
    def pictures(self) -> list[str]:
        """The addresses (data URLs) of the pictures that it shows."""
        contents = (message["content"] for message in self.body["messages"])
        parts = [part for content in contents if isinstance(content, list) for part in content]
        return [part["image_url"]["url"] for part in parts if part.get("type") == "image_url"]

    @classmethod
    def parse(cls, text: str) -> "ChatRequest":
        """The call of a canonical text; raises ValueError or KeyError where it is none."""
        value = json.loads(text)
        return cls(value["base_url"], value["body"])


def build_chat_request(
    params: LlmParams,
    messages: list[Message],
    *,
    max_tokens: int,
    schema: dict[str, Any] | None = None,
) -> ChatRequest:
    """The chat completion that asks these messages with these parameters.

    Raises:
        ConfigError: ``llm.base_url`` is not an address, or holds a password.
    """
    body: dict[str, Any] = {
        "model": params.model,
        "messages": messages,
        params.length_key: max_tokens,
    }
    if params.temperature is not None:
        body["temperature"] = float(params.temperature)  # 0 and 0.0 are one temperature: one key
    if params.seed is not None:
        body["seed"] = params.seed
    if schema is not None and is_object(schema) and params.structured:
        answer = {"name": "answer", "strict": True, "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    body |= params.extra_body
    return ChatRequest(check_address(params.base_url), body)


_NUMBERS = re.compile(r"\d+(\.\d+){3}")  # a host that is an IPv4 address


@lru_cache
def check_address(base_url: str) -> str:
    """The address without its last slash; refuses one that is no address or carries a password into the ledger."""
    base_url = base_url.strip()
    shown = "what is set" if "@" in base_url else repr(base_url)  # it may hold a password
    wrong = ConfigError(f"llm.base_url: {shown} is not an address", "For example http://127.0.0.1:8993/v1")
    try:
        parts = urlsplit(base_url)
        _ = parts.port  # read when it is asked for, and only then refused
        host = parts.hostname or ""
        if _NUMBERS.fullmatch(host):
            IPv4Address(host)
        elif ":" not in host:
            host.encode("idna")  # an empty or overlong name between two dots
    except ValueError:
        raise wrong from None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not base_url.isprintable()
        or " " in base_url
    ):
        raise wrong
    # an empty query or fragment too: what is appended to the address would become its own
    if "@" in parts.netloc or "?" in base_url or "#" in base_url:
        raise ConfigError(
            f"llm.base_url: the address of {parts.hostname} holds a user, password, query or fragment",
            "Secrets belong in the environment: export the key in the variable that llm.api_key_env names.",
        )
    return base_url.rstrip("/")


@dataclass(frozen=True)
class Completion:
    """What a raw answer says, read leniently: the ledger holds answers of many servers.

    ``text`` is as the model wrote it; :func:`cotpd.completions.clean_answer` makes an answer of it. ``reasoned``:
    the server sent the model's reasoning in a field of its own, which is kept raw and not read.
    """

    text: str
    finish_reason: str
    model: str
    prompt_tokens: int | None
    completion_tokens: int | None
    reasoned: bool = False


def read_completion(raw: str) -> Completion:
    """Read a raw chat completion. An answer without a choice reads as empty text with finish reason ``empty``.

    A refusal reads as its text with finish reason ``refusal``; a server's error beside a piece of an answer as
    finish reason ``error``.

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
    finish_reason = "refusal" if refusal else _name(choice.get("finish_reason"))
    if body.get("error") or choice.get("error"):
        finish_reason = "error"
    return Completion(
        text=_text(refusal or message.get("content")),
        finish_reason=finish_reason,
        model=_name(body.get("model")),
        prompt_tokens=token_count(usage.get("prompt_tokens")),
        completion_tokens=token_count(usage.get("completion_tokens")),
        reasoned=bool(message.get("reasoning_content") or message.get("reasoning")),
    )


def token_count(said: object) -> int | None:
    """A number of tokens, if it is one: what some servers write there would lift a limit, or fit no column."""
    if isinstance(said, float) and said.is_integer():
        said = int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 2**31 else None


def _name(said: object) -> str:
    return _text(str(said or "")).replace("\0", "\ufffd")  # a column of PostgreSQL holds no NUL


def _is_spoken(part: dict[str, Any]) -> bool:
    """Whether a content part is the answer's text; some servers send reasoning as parts of another type."""
    return part.get("type", "text") in ("text", "output_text")


def _text(content: object) -> str:
    if isinstance(content, list):  # some servers answer in content parts
        texts = (part.get("text") for part in content if isinstance(part, dict) and _is_spoken(part))
        content = "".join(text for text in texts if isinstance(text, str))
    if not isinstance(content, str):
        return ""
    return content.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # half an emoji is no character
