"""Asking by batches: submitted once, collected whenever, whatever happens in between."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask, ask_all
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.params import LlmParams
from cotpd.llm.transports import batch, batch_api, batch_lines
from tests.batch_server import BatchApi, build_answer_line, build_refusal_line, get_question_text
from tests.chat_server import build_completion, build_questions


@pytest.fixture
def api():
    server = BatchApi()
    yield server
    server.close()


@pytest.fixture
def params(api, tmp_path, monkeypatch) -> LlmParams:
    monkeypatch.setattr(batch, "FIRST_POLL", 0.02)
    monkeypatch.setattr(batch_api, "_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    ledger = str(tmp_path / "ledger.db")
    return LlmParams(base_url=api.base_url, model="fake", ledger=ledger, recorded=None, mode="batch", retries=1)


def list_texts(result) -> list[str]:
    return [answer.text for answer in result.answers]


def assert_no_job_is_left(params: LlmParams) -> None:
    with Ledger(params.ledger) as ledger:
        assert ledger.database.read("SELECT * FROM batch_job") == []
        assert ledger.database.read("SELECT * FROM batch_item") == []


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


def test_answers_come_in_order_and_serve_live_asking_too(api, params):
    first = ask_all(build_questions("a", "b", "a"), params, progress=False)

    assert (list_texts(first), first.from_server, first.from_ledger) == (["A", "B", "A"], 2, 0)

    again = ask_all(build_questions("b", "a"), params.model_copy(update={"mode": "live"}), progress=False)

    assert (list_texts(again), again.from_ledger) == (["B", "A"], 2)
    assert sorted(api.received) == ["a", "b"]
    assert len(api.jobs) == 1


def test_who_does_not_wait_collects_later_and_submits_only_what_is_new(api, params):
    api.looks = 10**6
    impatient = params.model_copy(update={"batch_wait": 0})

    with pytest.raises(LlmError, match=r"1 batches are still being worked on: batch-0\n.*Run the step again"):
        ask_all(build_questions("a", "b"), impatient, progress=False)

    with pytest.raises(LlmError, match="2 batches are still being worked on"):
        ask_all(build_questions("a", "b", "c"), impatient, progress=False)

    api.looks = 0

    assert list_texts(ask_all(build_questions("a", "b", "c"), params, progress=False)) == ["A", "B", "C"]
    assert sorted(api.received) == ["a", "b", "c"]


def test_a_job_that_a_changed_prompt_has_left_behind_is_collected_too(api, params):
    api.looks = 10**6

    with pytest.raises(LlmError):
        ask_all(build_questions("old"), params.model_copy(update={"batch_wait": 0}), progress=False)

    api.looks = 0
    ask_all(build_questions("new"), params, progress=False)

    live = params.model_copy(update={"mode": "live"})
    assert list_texts(ask_all(build_questions("old"), live, progress=False)) == ["OLD"]


def test_an_answer_may_hold_what_unicode_counts_as_a_line_break(api, params):
    odd = "one\u2028two\x85three\u2029four"
    api.outcome = lambda row: json.dumps(build_answer_line(row)).replace('"A"', f'"{odd}"')

    assert list_texts(ask_all(build_questions("a"), params, progress=False)) == [odd]


@pytest.mark.parametrize("gone", ["batches/batch-0", "files/"])
def test_a_job_that_the_server_no_longer_knows_frees_its_questions(api, params, gone, caplog):
    api.looks = 10**6

    with pytest.raises(LlmError):
        ask_all(build_questions("a"), params.model_copy(update={"batch_wait": 0}), progress=False)

    api.looks = 0
    api.faults = [(f"GET/{gone}", 404, False)]

    (failed,) = ask_all(build_questions("a"), params, progress=False).failed

    assert "batch-0" in failed.reason
    assert "asked anew" in failed.remedy
    assert "batch-0" in caplog.text
    assert "free to be asked again" in caplog.text
    assert list_texts(ask_all(build_questions("a"), params, progress=False)) == ["A"]


def test_what_lies_in_a_batch_is_not_bought_live(api, params, caplog):
    api.looks = 10**6

    with pytest.raises(LlmError):
        ask_all(build_questions("a", "b"), params.model_copy(update={"batch_wait": 0}), progress=False)

    live = params.model_copy(update={"mode": "live"})
    result = ask_all(build_questions("a", "b"), live, progress=False)

    assert [row.reason for row in result.failed] == ["it is in batch batch-0"] * 2
    assert all("llm.mode: batch" in row.remedy for row in result.failed)
    assert "2 questions are in batch batch-0. Run with llm.mode: batch to collect" in caplog.text


def compute_key(params: LlmParams, text: str) -> str:
    (question,) = build_questions(text)
    return build_chat_request(params, question.messages, max_tokens=question.max_tokens).key


def test_what_is_put_into_a_batch_while_a_live_process_claims_it_is_not_bought_live(api, params, monkeypatch):
    api.looks = 10**6
    real = Claims.claim

    def submit_then_claim(self, keys):  # between the live process' look and its claim, a batch is submitted
        monkeypatch.setattr(Claims, "claim", real)
        with pytest.raises(LlmError, match="batch-0"):
            ask_all(build_questions("a"), params.model_copy(update={"batch_wait": 0}), progress=False)
        return self.claim(keys)

    monkeypatch.setattr(Claims, "claim", submit_then_claim)

    (failed,) = ask_all(build_questions("a"), params.model_copy(update={"mode": "live"}), progress=False).failed

    assert failed.reason == "it is in batch batch-0"


def test_what_a_live_process_is_asking_is_not_submitted(api, params):
    with Ledger(params.ledger) as ledger:
        live = Claims(ledger.database)
        assert live.claim([compute_key(params, "a")])

        result = ask_all(build_questions("a", "b"), params, progress=False)

        assert (list_texts(result), api.received) == (["B"], ["b"])
        assert [row.reason for row in result.failed] == ["another process was asking it at that moment"]
        assert ledger.database.read("SELECT DISTINCT asker FROM claim") == [(live.name,)]

        live.release()

    assert list_texts(ask_all(build_questions("a", "b"), params, progress=False)) == ["A", "B"]


def test_more_than_a_file_may_hold_makes_several_jobs(api, params, monkeypatch):
    small_jobs = params.model_copy(update={"batch_requests": 2})

    assert list_texts(ask_all(build_questions(*"abcde"), small_jobs, progress=False)) == list("ABCDE")
    assert len(api.jobs) == 3

    monkeypatch.setattr(batch_lines, "MAX_JOB_BYTES", 10)
    ask_all(build_questions(*"fg"), params, progress=False)

    assert len(api.jobs) == 5


@pytest.mark.parametrize("at_creation", [False, True])
@pytest.mark.parametrize("limit", ["", " Limit: 1,000 enqueued tokens."])
def test_a_job_that_the_servers_queue_has_no_room_for_is_split_until_it_fits(
    api, params, limit, at_creation, caplog, monkeypatch
):
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_, **__: 0.01)
    api.room, api.refusal, api.at_creation = 3, api.refusal + limit, at_creation

    result = ask_all(build_questions(*"abcdefghij"), params, progress=False)

    assert list_texts(result) == list("ABCDEFGHIJ")
    assert sorted(api.received) == list("abcdefghij")
    assert max(api.sizes) <= 3
    assert "llm.batch_requests" in caplog.text
    assert_no_job_is_left(params)


def test_a_job_waits_for_the_others_in_the_queue_as_it_is(api, params):
    api.room, api.looks = 4, 3
    small_jobs = params.model_copy(update={"batch_requests": 4})

    assert list_texts(ask_all(build_questions(*"abcdefgh"), small_jobs, progress=False)) == list("ABCDEFGH")

    assert api.sizes == [4, 4]


def test_a_question_that_alone_has_no_room_fails_with_a_sentence(api, params):
    api.room = 0

    (failed,) = ask_all(build_questions("a"), params, progress=False).failed

    assert "Enqueued token limit reached" in failed.reason
    assert "llm.mode: live" in failed.remedy


def test_who_does_not_wait_hears_of_the_questions_that_wait_for_room_and_goes_on_later(api, params):
    api.room = 2
    impatient = params.model_copy(update={"batch_wait": 0.1})
    result, messages = None, []
    for _ in range(10):
        try:
            result = ask_all(build_questions(*"abcde"), impatient, progress=False)
            break
        except LlmError as error:
            messages.append(str(error))

    assert all("still being worked on" in message for message in messages)
    assert list_texts(result) == list("ABCDE")
    assert sorted(api.received) == list("abcde")


def test_a_result_file_is_read_a_line_at_a_time_and_a_line_that_is_too_long_stays_in_the_job(api, params):
    api.outcome = lambda row: (
        build_answer_line(row) | {"more": "x" * (5000 if row["custom_id"] == compute_key(params, "b") else 1)}
    )

    result = ask_all(build_questions(*"abc"), params.model_copy(update={"max_answer_bytes": 2000}), progress=False)

    assert list_texts(result) == ["A", "C"]
    assert "1 lines of batch batch-0 cannot be read" in result.failed[0].reason
    assert list_texts(ask_all(build_questions(*"abc"), params, progress=False)) == ["A", "B", "C"]
    assert sorted(api.received) == ["a", "b", "c"]


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
    assert "1 lines of batch batch-0 cannot be read" in unreadable.reason
    assert "delete its file file-1 on the server" in unreadable.remedy
    assert "batch-0: 1 lines cannot be read" in caplog.text

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


def test_no_more_is_submitted_than_the_budget_allows(api, params):
    result = ask_all(build_questions("a", "b"), params.model_copy(update={"max_tokens": 10}), progress=False)

    assert result.answers == []
    assert all("llm.max_tokens" in row.reason for row in result.failed)
    assert api.received == []


def build_odd_line(row: dict) -> dict | str | None:
    """Answer b twice and without a count, and refuse c."""
    line = build_answer_line(row)
    text = get_question_text(row)
    if text == "b":
        del line["response"]["body"]["usage"]
        return f"{json.dumps(line)}\n{json.dumps(line)}"
    return build_refusal_line(row) if text == "c" else line


def test_what_answers_came_to_is_counted_by_whoever_collects_them_and_once(api, params, tmp_path):
    prices = tmp_path / "prices.yaml"
    prices.write_text("source: here\nchecked: 2026-01-01\nmodels: {fake: {input: 2, output: 4}}\n")
    params = params.model_copy(update={"prices": str(prices)})
    api.outcome, api.looks = build_odd_line, 10**6

    with pytest.raises(LlmError):
        ask(build_questions("a", "b", "c"), params.model_copy(update={"batch_wait": 0}), progress=False)

    api.looks = 0
    result = ask(build_questions("a", "b"), params, progress=False)

    assert result.from_server == 2
    spent, sent = result.budget.spent, json.loads(api.files["file-0"].splitlines()[0])["body"]
    assert spent.completion == 3 + sent["max_tokens"]  # b is paid once, with the most that it can come to
    assert 11 + 100 < spent.prompt < 11 + 1000
    assert spent.cost == pytest.approx((spent.prompt * 1 + spent.completion * 2) / 1e6)  # half of the price
    assert ask(build_questions("a", "b"), params, progress=False).budget.spent.tokens == 0


SCRIPT = """
import os, signal, sys
from cotpd.llm.params import LlmParams
from cotpd.data.records import Kind
from cotpd.llm.transports import batch, batch_api, batch_lines
from cotpd.llm.ask import ask_all
from cotpd.llm.question import Question
batch.FIRST_POLL = 0.05
at = sys.argv[2]
def killed(function):
    def run(*arguments, **named):
        done = None if at == "before upload" else function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return done
    return run
if at == "before upload":
    batch_api.BatchServer.submit = killed(batch_api.BatchServer.submit)
elif at == "after upload":
    batch_api.BatchServer._create = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
elif at == "after creation":
    batch_api.BatchServer._create = killed(batch_api.BatchServer._create)
params = LlmParams.model_validate_json(sys.argv[1])
ask_all([Question(str(n), Kind.NOUN, [{"role": "user", "content": str(n)}]) for n in range(5)], params, progress=False)
"""


@pytest.mark.parametrize("at", ["before upload", "after upload", "after creation", "while waiting"])
def test_killed_anywhere_the_next_run_collects_and_asks_nothing_twice(api, params, at):
    api.looks = 10**6
    run = subprocess.Popen([sys.executable, "-c", SCRIPT, params.model_dump_json(), at], stderr=subprocess.PIPE)
    if at == "while waiting":
        until = time.monotonic() + 120
        while not api.jobs or next(iter(api.jobs.values()))["looks"] < 2:
            assert run.poll() is None, run.stderr.read()
            assert time.monotonic() < until, "it does not look"
            time.sleep(0.01)
        os.kill(run.pid, signal.SIGKILL)

    _, errors = run.communicate(timeout=60)

    assert run.returncode == -signal.SIGKILL, errors

    api.looks = 0
    numbers = [str(n) for n in range(5)]

    assert list_texts(ask_all(build_questions(*numbers), params, progress=False)) == numbers
    assert sorted(api.received) == numbers
    assert_no_job_is_left(params)


def test_two_processes_submit_each_question_once(api, params):
    api.looks = 5
    patient = [sys.executable, "-c", SCRIPT, params.model_dump_json(), "never"]
    runs = [subprocess.Popen(patient, stderr=subprocess.PIPE) for _ in range(2)]

    for run in runs:
        _, errors = run.communicate(timeout=60)
        assert run.returncode == 0, errors

    assert sorted(api.received) == [str(n) for n in range(5)]


def test_the_bodies_are_those_of_live_asking(api, params):
    ask_all(build_questions("a"), params, progress=False)
    (sent,) = [json.loads(line) for line in api.files["file-0"].splitlines()]
    with Ledger(params.ledger) as ledger:
        (entry,) = ledger.iterate_entries()

    assert (sent["custom_id"], {"base_url": params.base_url, "body": sent["body"]}) == (
        entry.key,
        json.loads(entry.request),
    )
