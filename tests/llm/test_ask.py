"""Asking: each question once, from the ledger first, and what happens when a server misbehaves."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cotpd.data.records import Kind
from cotpd.errors import ConfigError, LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import export_recording
from cotpd.llm.question import Question
from tests.chat_server import build_completion, build_error, build_questions, build_reply, hang, reset


def test_answers_come_in_the_order_of_the_requests_and_say_where_from(server, params):
    first = ask_all(build_questions("a", "b", "c"), params, progress=False)

    assert [(answer.id, answer.text) for answer in first.answers] == [("p0", "A"), ("p1", "B"), ("p2", "C")]
    assert (first.from_ledger, first.from_server, first.failed) == (0, 3, [])
    assert {answer.model for answer in first.answers} == {"fake-1"}

    second = ask_all(build_questions("c", "a", "d"), params, progress=False)

    assert [answer.text for answer in second.answers] == ["C", "A", "D"]
    assert (second.from_ledger, second.from_server) == (2, 1)
    assert sorted(server.list_texts()) == ["a", "b", "c", "d"]


def test_the_same_question_is_asked_once_however_often_it_occurs(server, params):
    result = ask_all(build_questions("same", "other", "same", "same"), params, progress=False)

    assert [answer.text for answer in result.answers] == ["SAME", "OTHER", "SAME", "SAME"]
    assert [answer.id for answer in result.answers] == ["p0", "p1", "p2", "p3"]
    assert sorted(server.list_texts()) == ["other", "same"]


def test_what_goes_over_the_wire_is_what_the_ledger_keeps(server, params):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    request = Question("p", Kind.NOUN, [{"role": "user", "content": "x"}], schema, max_tokens=7)

    answer = ask_all([request], params, progress=False).answers[0]

    (body,) = server.received
    with Ledger(params.ledger) as ledger:
        entry = ledger.get(answer.key)
    assert body == {
        "model": "fake",
        "messages": [{"role": "user", "content": "x"}],
        "temperature": 0.0,
        "max_tokens": 7,
        "seed": 13,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": schema},
        },
    }
    assert json.loads(entry.request) == {"base_url": server.base_url, "body": body}
    assert json.loads(entry.response) == json.loads(build_completion("X"))
    assert (entry.prompt_tokens, entry.completion_tokens, entry.finish_reason) == (11, 3, "stop")


@pytest.mark.parametrize(
    "change",
    [{"model": "other"}, {"seed": 14}, {"seed": None}, {"temperature": 0.5}],
    ids=lambda change: str(change),
)
def test_a_changed_parameter_is_a_new_question(server, params, change):
    ask_all(build_questions("a"), params, progress=False)

    result = ask_all(build_questions("a"), params.model_copy(update=change), progress=False)

    assert (result.from_ledger, result.from_server) == (0, 1)


def test_a_changed_prompt_address_or_length_is_a_new_question(server, params):
    ask_all(build_questions("a"), params, progress=False)
    longer = [Question("p0", Kind.NOUN, [{"role": "user", "content": "a"}], max_tokens=65)]
    elsewhere = params.model_copy(update={"base_url": server.base_url.replace("127.0.0.1", "localhost")})

    assert ask_all(longer, params, progress=False).from_server == 1
    assert ask_all(build_questions("a"), elsewhere, progress=False).from_server == 1
    assert ask_all(build_questions("a "), params, progress=False).from_server == 1

    for system in ("be short", "be brief"):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": "a"}]
        question = Question("p0", Kind.NOUN, messages, max_tokens=64)
        assert ask_all([question], params, progress=False).from_server == 1


def test_what_cannot_change_the_answer_is_no_new_question(server, params):
    ask_all(build_questions("a"), params, progress=False)
    same = {"concurrency": 1, "timeout": 3.0, "base_url": server.base_url + "/", "temperature": 0}

    result = ask_all(build_questions("a", kind=Kind.STYLE), params.model_copy(update=same), progress=False)

    assert result.from_ledger == 1


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


def test_no_more_requests_at_once_than_allowed(server, params):
    server.latency = 0.05
    questions = build_questions(*(str(n) for n in range(12)))

    ask_all(questions, params.model_copy(update={"concurrency": 3}), progress=False)

    assert server.most_at_once == 3


def test_no_server_says_how_far_the_ledger_is_and_what_to_do(server, params):
    ask_all(build_questions("a"), params, progress=False)
    server.close()
    began = time.monotonic()

    with pytest.raises(LlmError, match="no model answers at") as caught:
        ask_all(build_questions("a", "b", "c"), params, progress=False)

    assert "1 of 3 answers are in the ledger" in str(caught.value)
    assert "cotpd llm serve" in str(caught.value)
    assert time.monotonic() - began < 5


def test_all_in_the_ledger_needs_no_server_and_not_even_the_openai_package(server, params, tmp_path):
    ask_all(build_questions("a", "b"), params, progress=False)
    server.close()
    script = f"""
import sys
from cotpd.llm.params import LlmParams
from cotpd.data.records import Kind
from cotpd.llm.ask import ask_all
from cotpd.llm.question import Question
params = LlmParams.model_validate_json({params.model_dump_json()!r})
asked = [Question("p", Kind.NOUN, [{{"role": "user", "content": text}}]) for text in "ab"]
assert [answer.text for answer in ask_all(asked, params).answers] == ["A", "B"]
assert not {{"openai", "httpx2"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_the_key_reaches_the_server_and_nothing_else(server, params, monkeypatch, caplog, capfd):
    secret = "sk-very-secret-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    server.faults = [build_reply(build_completion(f"you sent {secret}"))]
    server.by_text = {"bad": build_error(400, message=f"key {secret}")}
    with caplog.at_level("DEBUG"):
        result = ask_all(build_questions("a", "bad"), params.model_copy(update={"concurrency": 1}))
        server.always = build_error(401, message=f"Incorrect API key provided: {secret[:6]}***{secret[-4:]}")

        with pytest.raises(LlmError) as caught:
            ask_all(build_questions("c"), params)

    assert server.headers[0]["authorization"] == f"Bearer {secret}"

    shown = [str(caught.value), repr(result), caplog.text, *capfd.readouterr()]

    assert not [text for text in shown if secret in text or secret[:6] in text]
    for path in Path(params.ledger).parent.glob("ledger.db*"):
        assert secret.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    "address",
    [
        "http://me:pw@host/v1", "http://host/v1?key=1", "host/v1", "", "http://host:99999/v1", "http://host:abc/v1",
        "http://[::1/v1", "http://me:pw@host:abc/v1", "http://ho st/v1", "http://ho\nst/v1", "http://host/v1#x",
        "http://host/v1#", "http://host/v1?", "http://1.2.3.999/v1", "http://a..b/v1", f"http://{'a' * 70}/v1",
        f"http://{'é' * 80}.de/v1",
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_holds_a_secret_is_refused(params, address):
    with pytest.raises(ConfigError, match=r"llm\.base_url") as caught:
        ask_all(build_questions("a"), params.model_copy(update={"base_url": address}))

    assert "pw" not in str(caught.value)


def test_blanks_around_an_address_do_not_matter(server, params):
    around = params.model_copy(update={"base_url": f" {server.base_url}\n"})

    assert ask_all(build_questions("a"), around, progress=False).answers[0].text == "A"
    assert ask_all(build_questions("a"), params, progress=False).from_ledger == 1


def test_a_recording_answers_without_asking_and_is_imported_once(server, params, tmp_path):
    ask_all(build_questions("a", "b"), params, progress=False)
    with Ledger(params.ledger) as ledger:
        export_recording(ledger, tmp_path / "recorded.jsonl")
    fresh = params.model_copy(
        update={"ledger": str(tmp_path / "fresh.db"), "recorded": str(tmp_path / "recorded.jsonl")}
    )

    for _ in range(2):
        assert ask_all(build_questions("a", "b"), fresh, progress=False).from_ledger == 2
    assert len(server.received) == 2


def test_a_recording_that_is_not_there_is_said_and_does_not_stop(server, params, caplog):
    absent = params.model_copy(update={"recorded": "nowhere.jsonl"})

    assert ask_all(build_questions("a"), absent, progress=False).from_server == 1
    assert "nowhere.jsonl" in caplog.text


@pytest.mark.parametrize(
    ("message", "setting", "gone"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'",
            {"length_key": "max_completion_tokens"},
            "max_tokens",
        ),
        ("'temperature' does not support 0", {"temperature": None}, "temperature"),
        ("unknown field seed", {"seed": None}, "seed"),
    ],
)
def test_a_server_that_refuses_a_parameter_is_asked_without_it_once_told_how(
    server, params, message, setting, gone
):
    question = [Question("p", Kind.NOUN, [{"role": "user", "content": "a"}], {"type": "object"}, 9)]
    server.faults = [build_error(400, message=message)]
    name, value = next(iter(setting.items()))

    (row,) = ask_all(question, params, progress=False).failed

    assert f"llm.{name}: {'null' if value is None else str(value).lower()}" in row.remedy
    assert gone in server.received[-1]

    (answer,) = ask_all(question, params.model_copy(update=setting), progress=False).answers

    assert answer.text == "A"
    assert gone not in server.received[-1]
    assert 9 in server.received[-1].values()
