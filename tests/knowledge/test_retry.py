"""Answers that fail their checks are asked for again, with another seed, as often as is allowed."""

from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.errors import ValidationError
from cotpd.knowledge.questions import knowledge_requests
from cotpd.knowledge.retry import TEMPERATURE, believed, varied
from cotpd.llm.ask import ask_all
from cotpd.llm.spending.budget import compute_worst_case
from tests.chat_server import FakeServer, completion, error, reply
from tests.expectations.test_check import make_post

POSTS = [make_post("a", "Ada lands in Rome"), make_post("b", "Bob lands in Oslo")]
GOOD = "Ada is a mathematician who travels a lot."


@pytest.fixture
def server():
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def params(server, tmp_path) -> Params:
    llm = {"base_url": server.base_url, "model": "fake", "ledger": str(tmp_path / "l.db"), "recorded": None}
    sections = {"llm": {**llm, "retries": 0, "seed": 7}, "ask": {"kinds": ["sentence"]}}
    return Params.model_validate({**sections, "validate": {"max_failed_share": 1.0, "reask": 2}})


def first_answers(server, params):
    server.always = reply(completion("I cannot help with that."))
    asked = knowledge_requests(POSTS, {}, params.ask)
    return ask_all(asked, params.llm, progress=False).answers


def test_a_better_answer_takes_the_place_of_a_failing_one(server, params):
    answers = first_answers(server, params)
    before = len(server.asked)
    server.faults = [reply(completion("...")), reply(completion(GOOD)), reply(completion(GOOD))]
    knowledge, quarantined, replaced = believed(answers, POSTS, {}, params)
    assert [(row.id, row.kind, row.text) for row in knowledge] == [(n, Kind.SENTENCE, GOOD) for n in "ab"]
    assert (quarantined, replaced) == ([], 2)
    again = server.asked[before:]
    assert [body["seed"] for body in again] == [8, 8, 9]
    assert {body["temperature"] for body in again} == {TEMPERATURE}
    assert len(server.asked) == before + 3
    believed(answers, POSTS, {}, params)
    assert len(server.asked) == before + 3, "the ledger answers what was asked again"


def test_no_more_often_than_allowed_and_the_last_answer_is_set_aside(server, params):
    answers = first_answers(server, params)
    knowledge, quarantined, replaced = believed(answers, POSTS, {}, params)
    assert (knowledge, replaced) == ([], 0)
    assert len(server.asked) == 2 + 2 * 2
    assert [row.id for row in quarantined] == ["a", "b"]
    assert all("refuses" in row.reason for row in quarantined)
    strict = params.validate_.model_copy(update={"max_failed_share": 0.5, "reask": 1})
    with pytest.raises(ValidationError, match="2 of 2 answers failed"):
        believed(answers, POSTS, {}, params.model_copy(update={"validate_": strict}))


def test_answers_that_came_with_the_data_are_not_asked_for_and_a_missing_server_is_no_end(server, params, caplog):
    answers = first_answers(server, params)
    brought = [row.model_copy(update={"source": "dataset"}) for row in answers]
    asked = len(server.asked)
    _, quarantined, _ = believed(brought, POSTS, {}, params)
    assert (len(quarantined), len(server.asked)) == (2, asked)
    server.close()
    _, quarantined, _ = believed(answers, POSTS, {}, params)
    assert len(quarantined) == 2
    assert "not asked again" in caplog.text


def test_without_leave_to_ask_nothing_is_asked(server, params, tmp_path: Path):
    answers = first_answers(server, params)
    never = params.model_copy(update={"validate_": params.validate_.model_copy(update={"reask": 0})})
    asked = len(server.asked)
    _, quarantined, _ = believed(answers, POSTS, {}, never)
    assert (len(quarantined), len(server.asked)) == (2, asked)


def with_llm(params: Params, **values) -> Params:
    return params.model_copy(update={"llm": params.llm.model_copy(update=values)})


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0, 2.0])
def test_where_no_seed_is_sent_none_is_and_each_attempt_is_a_question_of_its_own(server, params, temperature):
    params = with_llm(params, seed=None, temperature=temperature)
    answers = first_answers(server, params)
    believed(answers, POSTS, {}, params)
    assert not any("seed" in body for body in server.asked)
    assert len(server.asked) == 2 + 2 * 2, "the ledger answers none of them"
    asked = {body["temperature"] for body in server.asked}
    assert len(asked) == 3
    assert all(0 < one <= 2 for one in asked - {temperature})


def test_without_seed_and_temperature_there_is_nothing_to_vary(server, params, caplog):
    params = with_llm(params, seed=None, temperature=None)
    answers = first_answers(server, params)
    believed(answers, POSTS, {}, params)
    assert len(server.asked) == 2
    assert "it would be the same question" in caplog.text


def test_a_seed_is_varied_as_it_always_was_so_that_the_ledger_goes_on_answering(params):
    for temperature, then in ((0.0, TEMPERATURE), (0.7, 0.7), (None, None)):
        llm = params.llm.model_copy(update={"temperature": temperature})
        assert [(one.seed, one.temperature) for one in (varied(llm, 1), varied(llm, 2))] == [(8, then), (9, then)]


def test_a_re_ask_that_is_not_answered_is_told(server, params, caplog):
    answers = first_answers(server, params)
    server.faults = [error(400, message="too long for me")]
    believed(answers, POSTS, {}, params)
    assert "1 of 2 re-asks were not answered, first: status 400: " in caplog.text
    assert "too long for me" in caplog.text


def test_all_attempts_together_keep_to_the_limit(server, params):
    """Each of the answers comes to 14 tokens: room for the worst case of one request and two answers."""
    answers = first_answers(server, params)
    before = len(server.asked)
    most = max(
        sum(compute_worst_case(one.build_request(params.llm))) for one in knowledge_requests(POSTS, {}, params.ask)
    )
    params = with_llm(params, max_tokens=most + 14 + 1, concurrency=1)
    believed(answers, POSTS, {}, params)
    assert len(server.asked) == before + 2
