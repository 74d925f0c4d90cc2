"""Asking by batches: submitted once, collected whenever, whatever happens in between."""

import json

import pytest

from cotpd.errors import LlmError
from cotpd.llm.ask import ask, ask_all
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.transports import batch_lines
from tests.batch_server import build_answer_line, build_refusal_line, get_question_text
from tests.chat_server import build_questions
from tests.llm.batch.results import assert_no_job_is_left, compute_key, list_texts


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

    with pytest.raises(LlmError, match=r"1 batch is still being worked on: batch-0\n.*Run the step again"):
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
    assert "1 line of batch batch-0 cannot be read" in result.failed[0].reason
    assert list_texts(ask_all(build_questions(*"abc"), params, progress=False)) == ["A", "B", "C"]
    assert sorted(api.received) == ["a", "b", "c"]


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


def test_the_bodies_are_those_of_live_asking(api, params):
    ask_all(build_questions("a"), params, progress=False)
    (sent,) = [json.loads(line) for line in api.files["file-0"].splitlines()]
    with Ledger(params.ledger) as ledger:
        (entry,) = ledger.iterate_entries()

    assert (sent["custom_id"], {"base_url": params.base_url, "body": sent["body"]}) == (
        entry.key,
        json.loads(entry.request),
    )
