"""The lines of a recording: parts, which many requests share, and answers, which name their part.

Most requests differ in their last message alone, so the rest is written once, as a part, and an answer names its
part by hash. With the shipped prompts that makes 0.45 kB an answer, and each request can still be rebuilt to the
byte.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from cotpd.llm.chat_request import ChatRequest, Message, encode_canonical, hash_text
from cotpd.llm.completion import read_completion
from cotpd.llm.ledger.entry import Entry

_PLAIN_FIELDS = {"role", "content"}  # an answer whose message has no other field is written as its text
_NOISE = {"id", "created", "timings", "system_fingerprint"}  # fields of a body that differ each time it is asked
Part = dict[str, Any]


def split_request(request: ChatRequest) -> tuple[str, Part, Message]:
    """Return the name of a request's part, the part, and the last message, which is not in it."""
    *shared_messages, last_message = request.body["messages"]
    part = {"base_url": request.base_url, "body": {**request.body, "messages": shared_messages}}
    return hash_text(encode_canonical(part))[:12], part, last_message


def build_answer_row(entry: Entry, *, raw: bool) -> dict[str, Any]:
    """Return the line of an answer.

    Args:
        entry: The answer.
        raw: Keep the body as it came, with latency and time; otherwise what differs each time is left out.
    """
    name, _, message = split_request(ChatRequest.parse(entry.request))
    is_plain = (
        message.keys() == _PLAIN_FIELDS and message["role"] == "user" and isinstance(message["content"], str)
    )
    row: dict[str, Any] = {"key": entry.key, "part": name, "ask": message["content"] if is_plain else message}
    if raw:
        return row | {"response": entry.response, "latency": entry.latency, "created": entry.created}
    try:
        return row | _remove_noise(entry.response)
    except (
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        RecursionError,
    ):  # an odd body is paid for all the same
        return build_answer_row(entry, raw=True)


def _remove_noise(response: str) -> dict[str, Any]:
    """Return text, finish reason, model and token counts if an answer has no more; otherwise its body."""
    body = json.loads(response)
    choices = body["choices"]
    if not _is_plain_answer(choices):
        return {"body": json.loads(encode_canonical({name: body[name] for name in body if name not in _NOISE}))}
    completion = read_completion(response)
    return {
        "answer": completion.text,
        "finish_reason": completion.finish_reason,
        "model": completion.model,
        "tokens": [completion.prompt_tokens, completion.completion_tokens],
    }


def _is_plain_answer(choices: list[dict[str, Any]]) -> bool:
    """Whether an answer consists of one text without further fields."""
    if len(choices) != 1 or choices[0].get("logprobs"):
        return False
    message = choices[0].get("message") or {}
    has_more = any(value and name not in _PLAIN_FIELDS for name, value in message.items())
    return not has_more and isinstance(message.get("content"), str)


def format_line(row: Mapping[str, Any]) -> str:
    """Return a line of JSON, readable unless it contains half of a surrogate pair, which UTF-8 cannot encode."""
    line = json.dumps(row, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(row)
    return line + "\n"


def parse_answer_row(row: dict[str, Any], parts: Mapping[str, Part]) -> Entry:
    """Rebuild the ledger's entry from a line.

    Args:
        row: The line.
        parts: The parts above it, by name.

    Raises:
        ValueError: It is damaged, or its request does not hash to its key.
        KeyError: A field is missing.
    """
    if row["part"] not in parts:
        raise ValueError(f"its part {row['part']} does not stand above it")
    part = parts[row["part"]]
    message = row["ask"] if isinstance(row["ask"], dict) else {"role": "user", "content": row["ask"]}
    body = {**part["body"], "messages": [*part["body"]["messages"], message]}
    request = ChatRequest(part["base_url"], body)
    if request.key != row["key"]:
        raise ValueError("the request does not hash to its key: it was edited")
    response = row["response"] if "response" in row else encode_canonical(_rebuild_body(row))
    entry = Entry.from_response(request, response, _parse_latency(row))
    if not row.get("created"):
        return entry
    datetime.fromisoformat(row["created"])  # an invalid time would survive every `prune --before`
    return replace(entry, created=row["created"])


def _parse_latency(row: dict[str, Any]) -> float | None:
    if row.get("latency") is None:
        return None
    latency = float(row["latency"])
    if not math.isfinite(latency):
        raise ValueError(f"its latency is {latency}")
    return latency


def _rebuild_body(row: dict[str, Any]) -> dict[str, Any]:
    """Return a chat completion that says what a line without noise says."""
    if "body" in row:
        body: dict[str, Any] = row["body"]
        return body
    message = {"role": "assistant", "content": row["answer"]}
    choice = {"index": 0, "finish_reason": row["finish_reason"], "message": message}
    prompt, completion = row["tokens"]
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {"object": "chat.completion", "model": row["model"], "choices": [choice], "usage": usage}
