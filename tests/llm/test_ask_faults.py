"""Asking a server that fails, refuses or answers oddly: what is tried again, what stops, what is told."""

import json
import time

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from tests.chat_server import build_completion, build_error, build_questions, build_reply, hang, reset


@pytest.mark.parametrize(
    "fault",
    [
        build_error(429, retry_after="0.05"),
        build_error(429),
        build_error(500),
        build_error(503, message="Loading model"),
        reset,
        build_reply('{"choices": [{"message": {"cont'),
        build_reply("<html>gateway</html>", kind="text/html"),
        build_reply("[1]"),
        build_reply('{"choices": [7]}'),
        build_reply("{}", 400, kind="application/json; charset=base64"),
    ],
    ids=[
        "429 retry-after",
        "429",
        "500",
        "503",
        "reset",
        "truncated",
        "html",
        "list",
        "odd choice",
        "odd encoding",
    ],
)
def test_a_passing_fault_is_tried_again(server, params, fault):
    server.faults = [fault]

    result = ask_all(build_questions("a", "b"), params, progress=False)

    assert [answer.text for answer in result.answers] == ["A", "B"]
    assert len(server.received) == 3


@pytest.mark.parametrize("encoding", ["iso-8859-1", "utf-16", "undefined", "base64", "klingon"])
def test_an_answer_is_read_as_utf8_whatever_its_header_says(server, params, encoding):
    body = json.dumps(json.loads(build_completion("é")), ensure_ascii=False)
    server.always = build_reply(body, kind=f"text/html; charset={encoding}")

    assert [answer.text for answer in ask_all(build_questions("a"), params, progress=False).answers] == ["é"]
    assert len(server.received) == 1


def test_a_timeout_is_tried_again(server, params):
    server.faults = [hang]

    result = ask_all(build_questions("a"), params.model_copy(update={"timeout": 0.3}), progress=False)

    assert result.answers[0].text == "A"


def test_retry_after_holds_every_request_back(server, params):
    server.faults = [build_error(429, retry_after="0.6")]
    began = time.monotonic()

    ask_all(build_questions(*"abcd"), params.model_copy(update={"concurrency": 1}), progress=False)

    assert time.monotonic() - began >= 0.6


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (build_error(401, "invalid_api_key"), "refuses the API key"),
        (build_error(403), "refuses the API key"),
        (build_error(404, message="no model fake"), "no model fake"),
        (
            build_reply("", 301, location="https://elsewhere.example/v1"),
            "redirects to https://elsewhere.example/v1",
        ),
        (build_error(429, "insufficient_quota"), "quota"),
        (build_error(402, message="Insufficient balance"), "quota"),
        (build_reply('{"error": {"type": "insufficient_quota", "message": "no"}}', 429), "quota"),
    ],
)
def test_what_no_retry_mends_stops_at_once(server, params, fault, message):
    server.always = fault

    with pytest.raises(LlmError, match=message):
        ask_all(
            build_questions(*(str(n) for n in range(50))),
            params.model_copy(update={"concurrency": 2}),
            progress=False,
        )

    assert len(server.received) <= 2


@pytest.mark.parametrize("key", ["sk-abc\ndefghijkl", "sk-\u00e4bcdefgh"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_quoted(server, params, monkeypatch, key):
    monkeypatch.setenv("SOME_KEY", key)

    with pytest.raises(LlmError, match="the key in SOME_KEY holds") as caught:
        ask_all(build_questions("a"), params.model_copy(update={"api_key_env": "SOME_KEY"}), progress=False)

    assert "abc" not in str(caught.value)
    assert not server.received


def test_one_failing_post_does_not_stop_the_others(server, params):
    server.by_text = {"bad": build_error(400, message="too long"), "ill": build_error(500)}

    result = ask_all(build_questions("a", "bad", "b", "ill", "c"), params, progress=False, step="augment")

    assert [answer.id for answer in result.answers] == ["p0", "p2", "p4"]
    assert [(row.id, row.step) for row in result.failed] == [("p1", "augment"), ("p3", "augment")]
    assert "too long" in result.failed[0].reason
    assert result.failed[0].remedy
    assert server.list_texts().count("bad") == 1
    assert server.list_texts().count("ill") == 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"error": {"message": "too long"}}', "status 400: too long"),
        ('{"error": "too long"}', 'status 400: {"error": "too long"}'),
        ('{"detail": "too long"}', 'status 400: {"detail": "too long"}'),
        ("<html>\n too\x1b[2J long", "status 400: <html> too [2J long"),
        ("", "status 400: nothing else"),
    ],
)
def test_a_refusal_is_told_in_the_servers_words_on_one_line(server, params, body, reason):
    server.always = build_reply(body, 400)

    (row,) = ask_all(build_questions("a"), params, progress=False).failed

    assert row.reason == reason


def test_an_answer_that_is_none_is_told_with_its_beginning(server, params):
    server.always = build_reply('{"choices": null}')

    (row,) = ask_all(build_questions("a"), params, progress=False).failed

    why = "no chat completion: it has no choices"
    assert row.reason == f"an answer that cannot be read ({why}): '{{\"choices\": null}}' (3 tries)"


def test_a_server_that_only_fails_is_given_up(server, params):
    server.always = build_error(500)

    with pytest.raises(LlmError, match="in a row failed"):
        ask_all(
            build_questions(*(str(n) for n in range(500))),
            params.model_copy(update={"retries": 0}),
            progress=False,
        )

    assert len(server.received) < 50


@pytest.mark.parametrize(
    ("raw", "text", "reason"),
    [
        (build_completion("cut off in the mid", "length"), "cut off in the mid", "length"),
        (build_completion(None, refusal="I will not"), "I will not", "refusal"),
        (build_completion(None), "", "stop"),
        ('{"choices": [], "model": "m"}', "", "empty"),
        (
            build_completion([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]),
            "in parts",
            "stop",
        ),
        (build_completion("cut \ud83d", "length"), "cut \ufffd", "length"),
    ],
)
def test_an_answer_that_is_cut_off_refused_or_empty_is_kept_and_says_so(server, params, raw, text, reason):
    server.always = build_reply(raw)

    for _ in range(2):
        answer = ask_all(build_questions("a"), params, progress=False).answers[0]
        assert (answer.text, answer.finish_reason) == (text, reason)

    assert len(server.received) == 1
    with Ledger(params.ledger) as ledger:
        assert ledger.get(answer.key).response == raw
