"""Answers that fail their checks are asked for again, with another seed, as often as is allowed."""

from collections.abc import Sequence
from typing import Any

import pytest

from cotpd.data.records import Answer, Kind, Knowledge, Quarantined
from cotpd.errors import ValidationError
from cotpd.expectations.params import ValidateParams
from cotpd.knowledge.params import AskParams
from cotpd.knowledge.questions import build_questions
from cotpd.knowledge.retry import TEMPERATURE, build_retry_params, validate_with_retries
from cotpd.llm.ask import ask_all
from cotpd.llm.params import LlmParams
from cotpd.llm.spending.budget import compute_worst_case
from tests.builders import build_post
from tests.chat_server import FakeServer, build_completion, build_error, build_reply

POSTS = [build_post("Ada lands in Rome", id="a"), build_post("Bob lands in Oslo", id="b")]
GOOD = "Ada is a mathematician who travels a lot."
ASK = AskParams(kinds=(Kind.SENTENCE,))
LENIENT = ValidateParams(max_failed_share=1.0, reask=2)


@pytest.fixture
def llm(params: LlmParams) -> LlmParams:
    return params.model_copy(update={"retries": 0, "seed": 7})


def ask_first(server: FakeServer, llm: LlmParams) -> list[Answer]:
    """Return the first answers, all of which are refusals, as are all later ones."""
    server.always = build_reply(build_completion("I cannot help with that."))
    answers = ask_all(build_questions(POSTS, {}, ASK), llm, progress=False).answers
    server.received.clear()
    return answers


def run_validation(
    answers: Sequence[Answer], llm: LlmParams, params: ValidateParams = LENIENT
) -> tuple[list[Knowledge], list[Quarantined], int]:
    return validate_with_retries(answers, POSTS, {}, params=params, ask_params=ASK, llm=llm)


def change(llm: LlmParams, **values: Any) -> LlmParams:
    return llm.model_copy(update=values)


def test_a_better_answer_replaces_a_failing_one(server, llm):
    answers = ask_first(server, llm)
    server.faults = [
        build_reply(build_completion("...")),
        build_reply(build_completion(GOOD)),
        build_reply(build_completion(GOOD)),
    ]

    knowledge, quarantined, replaced = run_validation(answers, llm)

    assert [(row.id, row.kind, row.text) for row in knowledge] == [(name, Kind.SENTENCE, GOOD) for name in "ab"]
    assert (quarantined, replaced) == ([], 2)
    assert [body["seed"] for body in server.received] == [8, 8, 9]
    assert {body["temperature"] for body in server.received} == {TEMPERATURE}


def test_the_ledger_answers_a_retry_that_is_repeated(server, llm):
    answers = ask_first(server, llm)
    run_validation(answers, llm)
    before = len(server.received)

    run_validation(answers, llm)

    assert len(server.received) == before


def test_retries_stop_at_the_limit_and_the_last_answer_is_quarantined(server, llm):
    answers = ask_first(server, llm)

    knowledge, quarantined, replaced = run_validation(answers, llm)

    assert (knowledge, replaced) == ([], 0)
    assert len(server.received) == 2 * 2
    assert [row.id for row in quarantined] == ["a", "b"]
    assert all("refuses" in row.reason for row in quarantined)


def test_too_many_failures_after_all_retries_are_an_error(server, llm):
    answers = ask_first(server, llm)

    with pytest.raises(ValidationError, match="2 of 2 answers failed"):
        run_validation(answers, llm, ValidateParams(max_failed_share=0.5, reask=1))


def test_answers_that_came_with_the_data_are_not_asked_for(server, llm):
    answers = [row.model_copy(update={"source": "dataset"}) for row in ask_first(server, llm)]

    _, quarantined, _ = run_validation(answers, llm)

    assert (len(quarantined), len(server.received)) == (2, 0)


def test_a_missing_server_leaves_the_answers_quarantined_with_a_warning(server, llm, caplog):
    answers = ask_first(server, llm)
    server.close()

    _, quarantined, _ = run_validation(answers, llm)

    assert len(quarantined) == 2
    assert "not asked again" in caplog.text


def test_at_zero_retries_nothing_is_asked(server, llm):
    answers = ask_first(server, llm)

    _, quarantined, _ = run_validation(answers, llm, ValidateParams(max_failed_share=1.0, reask=0))

    assert (len(quarantined), len(server.received)) == (2, 0)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 2.0])
def test_without_a_seed_none_is_sent_and_each_attempt_is_a_request_of_its_own(server, llm, temperature):
    llm = change(llm, seed=None, temperature=temperature)
    answers = ask_first(server, llm)

    run_validation(answers, llm)

    assert not any("seed" in body for body in server.received)
    assert len(server.received) == 2 * 2, "the ledger answers none of them"
    temperatures = {body["temperature"] for body in server.received}
    assert len(temperatures | {temperature}) == 3
    assert all(0 < retry_temperature <= 2 for retry_temperature in temperatures)


def test_without_seed_and_temperature_a_retry_would_be_the_same_request_and_is_not_sent(server, llm, caplog):
    llm = change(llm, seed=None, temperature=None)
    answers = ask_first(server, llm)

    run_validation(answers, llm)

    assert build_retry_params(llm, 1) is None
    assert server.received == []
    assert "it would be the same question" in caplog.text


@pytest.mark.parametrize(("temperature", "expected"), [(0.0, TEMPERATURE), (0.7, 0.7), (None, None)])
def test_the_seed_counts_up_as_it_always_did_so_that_the_ledger_still_answers(llm, temperature, expected):
    llm = change(llm, temperature=temperature)

    first, second = build_retry_params(llm, 1), build_retry_params(llm, 2)

    assert [(retry.seed, retry.temperature) for retry in (first, second)] == [(8, expected), (9, expected)]


def test_a_retry_without_an_answer_is_logged(server, llm, caplog):
    answers = ask_first(server, llm)
    server.faults = [build_error(400, message="too long for me")]

    run_validation(answers, llm)

    assert "1 of 2 re-asks were not answered, first: status 400: " in caplog.text
    assert "too long for me" in caplog.text


def test_all_attempts_together_keep_to_the_limit(server, llm):
    """Each answer comes to 14 tokens: the limit has room for the worst case of one request and two answers."""
    answers = ask_first(server, llm)
    requests = [question.build_request(llm) for question in build_questions(POSTS, {}, ASK)]
    worst_case = max(sum(compute_worst_case(request)) for request in requests)

    run_validation(answers, change(llm, max_tokens=worst_case + 14 + 1, concurrency=1))

    assert len(server.received) == 2
