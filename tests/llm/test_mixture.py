"""A heavy mix of faults: in the end everything is answered, and nothing that was sent whole is asked again."""

import json
import random
import threading
import time
from collections import Counter

import pytest

from cotpd.data.records import Kind
from cotpd.errors import LlmError
from cotpd.llm.ask import ask
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.question import Question
from cotpd.llm.transports import chat_client
from tests.chat_server import build_completion, build_error, build_reply, reset

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


class Server:
    """Meets most tries with a fault, and remembers which questions it has answered whole, and when."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.asked: Counter[str] = Counter()
        self.sound: set[str] = set()
        self.again: list[tuple[str, str]] = []
        self.how: dict[str, str] = {}
        self._lock = threading.Lock()

    def answer(self, handler) -> None:
        text = handler.question
        with self._lock:
            if text in self.sound:
                self.again.append((text, self.how[text]))
            self.asked[text] += 1
            kind = self.chance.choice(KINDS) if self.asked[text] < 4 else "sound"
        fault = getattr(self, f"send_{kind}")
        if fault(handler, build_completion(text.upper()).encode()):
            with self._lock:
                self.sound.add(text)
                self.how.setdefault(text, kind)

    def send_sound(self, handler, body: bytes) -> bool:
        return write_response(handler, body)

    def send_slow(self, handler, body: bytes) -> bool:
        time.sleep(0.1)
        return write_response(handler, body)

    def send_closed(self, handler, body: bytes) -> bool:
        handler.close_connection = True
        return write_response(handler, body)

    def send_reset_after(self, handler, body: bytes) -> bool:
        write_response(handler, body)
        handler.wfile.flush()
        reset(handler)
        return True

    def send_longer(self, handler, body: bytes) -> bool:
        handler.close_connection = True
        return write_response(handler, body, length=len(body) + 7)

    def send_twice(self, handler, body: bytes) -> bool:
        return write_response(handler, body, times=2)

    def send_unended(self, handler, body: bytes) -> bool:
        write_response(handler, body, length=len(body) + 1)
        time.sleep(1.2)
        handler.close_connection = True
        return True

    def send_truncated(self, handler, body: bytes) -> bool:
        write_response(handler, body[:-20])
        return False

    def send_reset_amid(self, handler, body: bytes) -> bool:
        write_response(handler, body[:30], length=len(body))
        reset(handler)
        return False

    def send_silent(self, handler, body: bytes) -> bool:
        time.sleep(1.2)
        handler.close_connection = True
        return False

    def send_busy(self, handler, body: bytes) -> bool:
        build_error(429, retry_after="0.05")(handler)
        return False

    def send_broken(self, handler, body: bytes) -> bool:
        build_error(500)(handler)
        return False

    def send_page(self, handler, body: bytes) -> bool:
        build_reply("<html>busy</html>", kind="text/html")(handler)
        return False

    def send_formless(self, handler, body: bytes) -> bool:
        build_error(400, message="response_format is not supported")(handler)
        return False


KINDS = [name.removeprefix("send_") for name in vars(Server) if name.startswith("send_")]


def write_response(handler, body: bytes, length: int | None = None, times: int = 1) -> bool:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n"
    handler.wfile.write((head.format(len(body) if length is None else length).encode() + body) * times)
    return True


def ask_until_answered(server, params, count: int, seed: int) -> Server:
    """Ask until everything is answered, with a fresh run after each that was ended."""
    mixture = Server(random.Random(seed))

    def answer(handler) -> None:
        mixture.answer(handler)

    server.always = answer
    requests = [
        Question(str(n), Kind.NOUN, [{"role": "user", "content": f"q{n}"}], SCHEMA if n % 3 else None)
        for n in range(count)
    ]
    for _ in range(20):
        try:
            outcome = ask(requests, params, progress=False)
        except LlmError:
            continue
        if not outcome.failures:
            return mixture
    raise AssertionError("not everything is answered")


@pytest.mark.parametrize(
    ("count", "seed"),
    [(120, 1), pytest.param(1050, 2, marks=pytest.mark.slow), pytest.param(1050, 3, marks=pytest.mark.slow)],
)
def test_nothing_that_was_sent_whole_is_asked_again(server, params, monkeypatch, count, seed):
    monkeypatch.setattr(chat_client, "_LONGEST_PAUSE", 0.02)
    patient = params.model_copy(update={"concurrency": 16, "timeout": 1.0, "retries": 3})

    mixture = ask_until_answered(server, patient, count, seed)

    assert mixture.again == []
    with Ledger(params.ledger) as ledger:
        entries = list(ledger.iterate_entries())
    questions = [ChatRequest.parse(entry.request).body["messages"][-1]["content"] for entry in entries]
    answers = [json.loads(entry.response)["choices"][0]["message"]["content"] for entry in entries]
    assert len(set(questions)) == count
    assert answers == [question.upper() for question in questions]
