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
from tests.chat_server import build_completion, build_error, build_questions, build_reply


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

    assert "1 of 3 answers in the ledger" in str(caught.value)
    assert "cotpd llm serve" in str(caught.value)
    assert time.monotonic() - began < 30  # the client's own waiting and trying again takes minutes


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
