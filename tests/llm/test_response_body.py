"""Bodies of answers: whole ones count however the connection ends, and none is read beyond its limit."""

import gzip
import json
import subprocess
import sys
import time
import zlib
from contextlib import suppress

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.transports.response_body import BodyReader, OversizedError
from tests.chat_server import build_completion, build_questions
from tests.peak_memory import READ_PEAK, needs_proc

LIMIT = 100_000


def send(body: bytes, *, length: int | None = None, encoding: str = "", status: int = 200, hold: float = 0.0):
    """Send a body whose length may be told wrongly, and hold the connection for a while before it is closed."""

    def answer(handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        if encoding:
            handler.send_header("Content-Encoding", encoding)
        handler.end_headers()
        handler.wfile.write(body)
        handler.wfile.flush()
        time.sleep(hold)
        handler.close_connection = True

    return answer


def send_endlessly(piece: bytes, seconds: float = 20.0):
    """Send pieces, in chunks, for as long as they are taken."""

    def answer(handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.close_connection = True
        until = time.monotonic() + seconds
        with suppress(OSError):  # the client has seen enough
            while time.monotonic() < until:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    return answer


def test_a_whole_answer_counts_though_the_connection_breaks_before_its_end(server, params):
    body = build_completion("A").encode()
    server.by_text = {"a": send(body, length=len(body) + 10)}

    result = ask_all(build_questions("a", "b"), params, progress=False)

    assert [answer.text for answer in result.answers] == ["A", "B"]
    assert sorted(server.list_texts()) == ["a", "b"]


def test_a_whole_answer_counts_though_its_end_is_not_sent_in_time(server, params):
    body = build_completion("A").encode()
    server.by_text = {"a": send(body, length=len(body) + 10, hold=3.0)}

    result = ask_all(build_questions("a", "b"), params.model_copy(update={"timeout": 0.5}), progress=False)

    assert [answer.text for answer in result.answers] == ["A", "B"]
    assert sorted(server.list_texts()) == ["a", "b"]


def test_half_an_answer_is_none(server, params):
    body = build_completion("A").encode()
    server.faults = [send(body[:-1], length=len(body))]

    assert [answer.text for answer in ask_all(build_questions("a"), params, progress=False).answers] == ["A"]
    assert server.list_texts() == ["a", "a"]


def test_an_answer_that_is_sent_twice_is_not_taken_for_that_to_the_next_question(server, params):
    def send_twice(handler) -> None:
        body = build_completion("B").encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        handler.wfile.write((head + body) * 2)

    server.by_text = {"b": send_twice}

    result = ask_all(build_questions(*"abcd"), params.model_copy(update={"concurrency": 1}), progress=False)

    assert [answer.text for answer in result.answers] == list("ABCD")


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_an_answer_that_is_packed_is_unpacked(server, params, encoding, pack):
    server.always = send(pack(build_completion("fine").encode()), encoding=encoding)

    (answer,) = ask_all(build_questions("a"), params, progress=False).answers

    assert answer.text == "fine"
    with Ledger(params.ledger) as ledger:
        assert json.loads(ledger.get(answer.key).response) == json.loads(build_completion("fine"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (send(build_completion("A").encode(), encoding="br"), "its encoding is 'br'"),
        (send(build_completion("A").encode(), encoding="gzip"), "it is not gzip"),
    ],
)
def test_an_encoding_that_cannot_be_read_is_told(server, params, fault, reason):
    server.always = fault

    (failed,) = ask_all(build_questions("a"), params, progress=False).failed

    assert reason in failed.reason


@pytest.mark.parametrize(
    "fault",
    [
        send(build_completion("x" * LIMIT).encode()),
        send(gzip.compress(build_completion("x" * 50_000_000).encode()), encoding="gzip"),
        send_endlessly(b" " * 10_000),
    ],
    ids=["long", "bomb", "endless"],
)
def test_an_answer_beyond_its_limit_is_refused_once_with_a_sentence(server, params, fault):
    server.by_text = {"a": fault}
    limited = params.model_copy(update={"max_answer_bytes": LIMIT})

    result = ask_all(build_questions("a", "b"), limited, progress=False)

    (failed,) = result.failed
    assert failed.reason == "an answer of more than 100,000 bytes"
    assert "llm.max_answer_bytes" in failed.remedy
    assert [answer.text for answer in result.answers] == ["B"]
    assert server.list_texts().count("a") == 1


def test_a_long_refusal_is_judged_by_its_status(server, params):
    server.faults = [send(b"x" * 10_000_000, status=503)]
    server.by_text = {"b": send(b"y" * 10_000_000, status=400)}

    result = ask_all(build_questions("a", "b"), params.model_copy(update={"concurrency": 1}), progress=False)

    assert [answer.text for answer in result.answers] == ["A"]
    assert result.failed[0].reason.startswith("status 400: yyy")


def test_a_refusal_in_an_encoding_that_cannot_be_read_is_judged_by_its_status(server, params):
    server.always = send(b"{}", encoding="br", status=401)

    with pytest.raises(LlmError, match="refuses the API key"):
        ask_all(build_questions("a"), params, progress=False)


def test_no_step_of_unpacking_goes_beyond_the_limit():
    bomb = gzip.compress(b"\0" * 50_000_000)
    reader = BodyReader("gzip", LIMIT)

    with pytest.raises(OversizedError):
        reader.feed(bomb)

    assert len(reader.content) == LIMIT


HUNGRY = (
    READ_PEAK
    + """
import sys
from cotpd.llm.params import LlmParams
from cotpd.data.records import Kind
from cotpd.llm.ask import ask_all
from cotpd.llm.question import Question
params = LlmParams.model_validate_json(sys.argv[1])
def ask(*texts):
    ask_all([Question(t, Kind.NOUN, [{"role": "user", "content": t}]) for t in texts], params, progress=False)
    return read_peak_kilobytes() / 1024
before = ask("small")
print(ask(*(f"big {n}" for n in range(30))) - before)
"""
)


@needs_proc
@pytest.mark.parametrize(
    "fault",
    [
        send(gzip.compress(build_completion("x" * 100_000_000).encode()), encoding="gzip"),
        send_endlessly(b" " * 100_000),
        send(build_completion("x" * 3_000_000).encode()),
        send(build_completion("x" * 1_900_000).encode()),
    ],
    ids=["bomb", "endless", "too long", "as long as allowed"],
)
def test_memory_stays_flat_whatever_the_server_sends(server, params, fault):
    server.by_text = {f"big {n}": fault for n in range(30)}

    process = subprocess.run(
        [sys.executable, "-c", HUNGRY, params.model_copy(update={"concurrency": 30}).model_dump_json()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert float(process.stdout) < 300, "megabytes"
