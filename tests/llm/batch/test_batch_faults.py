"""Batches on a server that fails: no job is made twice, no answer lost, and each fault is told."""

import json

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask_all
from tests.batch_server import BatchApi, build_answer_line, build_refusal_line, get_question_text
from tests.chat_server import build_completion, build_questions
from tests.llm.batch.results import assert_no_job_is_left, list_texts


def test_an_answer_that_its_server_broke_off_is_asked_again_and_never_kept(api, params):
    broken = build_completion("HALF AN ANS", "error")
    api.outcome = lambda row: {
        **build_answer_line(row),
        "response": {"status_code": 200, "body": json.loads(broken)},
    }
    (failed,) = ask_all(build_questions("a"), params, progress=False).failed

    api.outcome = build_answer_line
    again = ask_all(build_questions("a"), params, progress=False)

    assert "broke off its answer (finish_reason error)" in failed.reason
    assert [answer.text for answer in again.answers] == ["A"]


def test_a_key_in_a_results_file_is_masked(api, params, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very/secret-0123456789")
    echo = build_completion("you sent ECHO")
    api.outcome = lambda row: json.dumps(
        {**build_answer_line(row), "response": {"status_code": 200, "body": json.loads(echo)}}
    ).replace("ECHO", "sk-very\\/secret-0123456789")

    (answer,) = ask_all(build_questions("a"), params, progress=False).answers

    assert answer.text == "you sent ***"


def test_single_failures_stop_nobody_and_are_asked_again_by_the_next_run(api, params):
    api.outcome = lambda row: build_refusal_line(row) if get_question_text(row) == "b" else build_answer_line(row)

    result = ask_all(build_questions("a", "b"), params, progress=False)

    assert list_texts(result) == ["A"]
    assert [(row.id, row.reason) for row in result.failed] == [("p1", "status 400: context too long")]

    api.outcome = build_answer_line

    assert list_texts(ask_all(build_questions("a", "b"), params, progress=False)) == ["A", "B"]
    assert api.received == ["a", "b", "b"]


def test_a_field_that_the_server_does_not_take_is_named_with_its_remedy(api, params):
    api.outcome = lambda row: build_refusal_line(row, "response_format is not supported by this model")

    (failed,) = ask_all(build_questions("a"), params, progress=False).failed

    assert "llm.structured: false" in failed.remedy


def test_what_a_line_says_of_a_fault_is_quoted_on_one_line(api, params):
    api.outcome = lambda row: build_refusal_line(row, f"no\n\x1b[2J{'x' * 400}")

    (failed,) = ask_all(build_questions("a"), params, progress=False).failed

    assert failed.reason.startswith("status 400: no [2Jxxx")
    assert failed.reason.isprintable()
    assert len(failed.reason) < 330


@pytest.mark.parametrize(
    ("state", "reason"), [("expired", "is expired"), ("cancelled", "is cancelled"), ("failed", "not valid")]
)
def test_what_an_ended_job_left_unanswered_is_said_and_what_it_answered_is_kept(api, params, state, reason):
    api.ends = state
    api.outcome = lambda row: build_answer_line(row) if get_question_text(row) == "a" else None

    result = ask_all(build_questions("a", "b"), params, progress=False)

    assert list_texts(result) == ["A"]
    assert reason in result.failed[0].reason

    api.ends, api.outcome = "completed", build_answer_line

    assert list_texts(ask_all(build_questions("a", "b"), params, progress=False)) == ["A", "B"]
    assert api.received == ["a", "b", "b"]


def test_lines_that_nobody_asked_for_are_left_out_with_a_word(api, params, caplog):
    foreign_lines = iter(
        ['{"custom_id": "nobody asked", "response": "none"}', '{"custom_id": "n", "response": 1}']
    )
    api.outcome = lambda row: next(foreign_lines, None) or build_answer_line(row)

    result = ask_all(build_questions(*"abc"), params, progress=False)

    assert list_texts(result) == ["C"]
    assert len(result.failed) == 2
    assert "batch-0: 2 lines that nobody asked for" in caplog.text
    assert_no_job_is_left(params)


@pytest.mark.parametrize(
    "line", ["{not json", "[]", '{"response": null}', '{"custom_id": 1}', "\ufffd" + "[" * 10**5]
)
def test_what_lines_that_cannot_be_read_may_answer_stays_in_the_job(api, params, caplog, line):
    lines = {"a": build_answer_line, "b": lambda _: line, "c": build_refusal_line}
    api.outcome = lambda row: lines[get_question_text(row)](row)

    result = ask_all(build_questions(*"abc"), params, progress=False)

    assert (list_texts(result), result.from_server) == (["A"], 1)
    unreadable, _ = result.failed
    assert "1 line of batch batch-0 cannot be read" in unreadable.reason
    assert "delete its file file-1 on the server" in unreadable.remedy
    assert "batch-0: 1 line cannot be read" in caplog.text

    api.outcome = build_answer_line
    # c was refused and d is new: both are asked, and b is not
    again = ask_all(build_questions(*"abcd"), params, progress=False)

    assert (list_texts(again), [row.id for row in again.failed]) == (["A", "C", "D"], ["p1"])
    assert sorted(api.received) == list("abccd")

    mended = json.dumps(build_answer_line(json.loads(sort_request_lines(api)[1])))
    api.files["file-1"] = api.files["file-1"].replace(line, mended)

    assert list_texts(ask_all(build_questions(*"abcd"), params, progress=False)) == list("ABCD")
    assert sorted(api.received) == list("abccd")
    assert_no_job_is_left(params)


def sort_request_lines(api: BatchApi) -> list[str]:
    return sorted(api.files["file-0"].splitlines(), key=lambda line: get_question_text(json.loads(line)))


def test_a_kept_job_whose_file_is_deleted_frees_its_questions(api, params):
    api.outcome = lambda _: "{cut off"
    ask_all(build_questions("a"), params, progress=False)
    api.outcome, api.faults = build_answer_line, [("GET/files/file-1", 404, False)]

    assert len(ask_all(build_questions("a"), params, progress=False).failed) == 1
    assert list_texts(ask_all(build_questions("a"), params, progress=False)) == ["A"]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("call", ["POST/files", "POST/batches", "GET/batches/", "GET/files/", "POST/batches+done"])
def test_a_passing_fault_of_any_call_makes_no_second_job(api, params, call, status, monkeypatch):
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_, **__: 0.01)
    api.faults = [(call.removesuffix("+done"), status, call.endswith("+done"))]

    assert list_texts(ask_all(build_questions("a", "b"), params, progress=False)) == ["A", "B"]
    assert sorted(api.received) == ["a", "b"]
    assert len(api.jobs) == 1


@pytest.mark.parametrize("call", ["POST/files", "GET/batches/"])
def test_an_answer_of_another_kind_is_told_and_loses_nothing(api, params, call):
    api.faults = [(call, 200, False)]

    with pytest.raises(LlmError, match=r"cannot be read: .*\n.*Batch API"):
        ask_all(build_questions("a"), params, progress=False)

    assert list_texts(ask_all(build_questions("a"), params, progress=False)) == ["A"]
    assert (api.received, len(api.jobs)) == (["a"], 1)


@pytest.mark.parametrize("is_created", [False, True])
def test_a_creation_whose_answer_is_of_another_kind_makes_no_second_job(api, params, is_created):
    api.faults = [("POST/batches", 200, is_created)]

    assert list_texts(ask_all(build_questions("a"), params, progress=False)) == ["A"]
    assert len(api.jobs) == 1


@pytest.mark.parametrize("call", ["POST/files", "POST/batches", "GET/batches/"])
def test_a_redirect_is_told_and_followed_for_results_alone(api, params, call):
    api.faults = [(call, 307, False)]

    with pytest.raises(LlmError, match="redirects to http://127"):
        ask_all(build_questions("a"), params, progress=False)

    api.faults = [("GET/files/", 307, False)]

    assert list_texts(ask_all(build_questions("a"), params, progress=False)) == ["A"]
    assert api.received == ["a"]


def test_a_refused_key_ends_it_and_stays_out_of_sight(api, params, monkeypatch, caplog):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
    api.faults = [("POST/files", 401, False)]

    with pytest.raises(LlmError, match="refuses the API key") as raised:
        ask_all(build_questions("a"), params, progress=False)

    assert "sk-secret" not in str(raised.value) + caplog.text
    assert any("sk-secret-0123456789" in headers for headers in api.headers)
    assert list_texts(ask_all(build_questions("a"), params, progress=False)) == ["A"]
    with open(params.ledger, "rb") as file:  # noqa: PTH123
        assert b"sk-secret" not in file.read()
    assert api.received == ["a"]
