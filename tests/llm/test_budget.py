"""Hard stops: nothing is sent that could go beyond them, and what was answered is kept."""

import asyncio
import itertools
import json

import pytest

from cotpd.errors import ConfigError
from cotpd.llm.ask import ask, ask_all
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.params import LlmParams
from cotpd.llm.spending.budget import Budget, compute_worst_case
from tests.chat_server import build_completion, build_error, build_questions, build_reply, hang, reset

# The fake server counts 11 + 3 tokens an answer.


def compute_most_tokens(params: LlmParams) -> int:
    """Return the most tokens that a question of one letter can come to."""
    (question,) = build_questions("a")
    return sum(compute_worst_case(build_chat_request(params, question.messages, max_tokens=64)))


def test_no_more_tokens_are_used_than_allowed_and_the_rest_is_said(server, params):
    most = compute_most_tokens(params)
    limited = params.model_copy(update={"max_tokens": most + 5 * 14})

    result = ask_all(build_questions(*"0123456789"), limited, progress=False)

    assert len(server.received) == result.from_server == 6
    assert {row.reason for row in result.failed} == {
        f"not asked: llm.max_tokens ({most + 70:,}) could be exceeded after 84 tokens"
    }

    goes_on = ask_all(build_questions(*"0123456789"), params, progress=False)

    assert (goes_on.from_ledger, goes_on.from_server) == (6, 4)


@pytest.mark.parametrize("fault", [hang, reset, build_reply("<html>busy</html>", kind="text/html")])
def test_tries_that_may_be_billed_without_an_answer_count_with_the_most_they_can_come_to(server, params, fault):
    most = compute_most_tokens(params)
    params = params.model_copy(update={"max_tokens": 3 * most - 1, "retries": 5, "timeout": 0.2})
    server.faults = [fault]

    assert ask_all(build_questions("a"), params, progress=False).from_server == 1

    server.received.clear()
    server.faults = [fault] * 6

    (failed,) = ask_all(build_questions("b"), params, progress=False).failed

    assert len(server.received) == 2, "a third try could go beyond the limit"
    assert f"not asked again: llm.max_tokens ({3 * most - 1:,}) could be exceeded after 0 tokens" in failed.reason
    assert f"at most {2 * most:,} of tries without an answer" in failed.reason
    assert failed.remedy.startswith("Raise the limit")


@pytest.mark.parametrize("odd", ["-1000000", "true", "NaN", '"n/a"', "1e300", "{}", "null"])
def test_a_count_that_is_none_lifts_no_limit_and_ends_no_run(server, params, odd):
    most = compute_most_tokens(params)
    server.always = build_reply(build_completion("yes").replace('"prompt_tokens": 11', f'"prompt_tokens": {odd}'))
    limited = params.model_copy(update={"max_tokens": 2 * most, "concurrency": 1})

    result = ask_all(build_questions(*"0123"), limited, progress=False)

    assert result.from_server == len(server.received) == 2, (
        "what is not counted counts as the most that it can come to"
    )
    assert len(result.failed) == 2
    assert ask_all(build_questions(*"01"), params, progress=False).from_ledger == 2


def test_tries_that_a_server_turned_away_cost_nothing(server, params):
    most = compute_most_tokens(params)
    server.faults = [build_error(429, retry_after="0"), build_error(500), build_error(502)]
    limited = params.model_copy(update={"max_tokens": most, "retries": 3})

    assert ask_all(build_questions("a"), limited, progress=False).from_server == 1


def test_dollars_are_counted_by_the_price(server, params, tmp_path):
    price_file = tmp_path / "prices.yaml"
    price_file.write_text("source: x\nchecked: 2026-01-31\nmodels:\n  fake: {input: 1, output: 2}\n")
    budget = Budget.from_params(
        params.model_copy(update={"prices": str(price_file), "base_url": "http://far.invalid/v1"})
    )
    call = build_chat_request(params, build_questions("a")[0].messages, max_tokens=64)
    sent, received = compute_worst_case(call)
    budget.max_cost = (sent + 2 * received) / 1e6
    entry = Entry.from_response(call, build_completion("A"))

    async def reserve_twice() -> tuple[bool, bool]:
        first = await budget.wait_for_room(call)
        second = asyncio.create_task(budget.wait_for_room(call))  # waits for the first one's answer
        await asyncio.sleep(0.01)
        assert not second.done()
        await budget.settle(call, entry)
        return first, await second

    assert asyncio.run(reserve_twice()) == (True, False)
    assert budget.excess.endswith("could be exceeded after $0.0000")
    assert budget.spent.cost == pytest.approx((11 + 2 * 3) / 1e6)


def test_a_limit_in_dollars_without_a_price_is_refused(server, params):
    abroad = params.model_copy(update={"base_url": "http://far.invalid/v1", "max_cost": 1.0})

    with pytest.raises(ConfigError, match="no price is known for fake"):
        ask_all(build_questions("a"), abroad, progress=False)


def build_verbose_reply(tokens: int, prompt: int = 11, *, counted: bool = True):
    """Build an answer of so many tokens, whatever the request allows."""
    body = json.loads(build_completion("word " * tokens))
    body["usage"] = {"prompt_tokens": prompt, "completion_tokens": tokens} if counted else None
    return build_reply(json.dumps(body))


@pytest.mark.parametrize(
    ("fault", "tokens"),
    [
        (build_verbose_reply(1000), 1011),
        (build_verbose_reply(3, prompt=2000), 2003),
        (build_verbose_reply(1000, counted=False), 1000),
    ],
    ids=["long answers", "a prompt of the server's own", "long answers that are not counted"],
)
def test_a_limit_holds_where_the_server_does_not_keep_to_the_length_of_an_answer(
    server, params, fault, tokens, caplog
):
    server.always = fault
    limited = params.model_copy(update={"max_tokens": 10_000, "concurrency": 16})

    result = ask_all(build_questions(*(str(n) for n in range(60))), limited, progress=False)

    assert 1 <= result.from_server <= 10_000 // tokens
    assert len(result.failed) == 60 - result.from_server
    assert all("llm.max_tokens (10,000) could be exceeded" in row.reason for row in result.failed)
    warnings = [record.message for record in caplog.records if "does not keep to the length" in record.message]
    assert len(warnings) == (0 if tokens == 2003 else 1)


def test_a_limit_in_dollars_holds_too(server, params, tmp_path):
    price_file = tmp_path / "prices.yaml"
    price_file.write_text("source: x\nchecked: 2026-01-31\nmodels:\n  fake: {input: 1, output: 100}\n")
    server.always = build_verbose_reply(1000)
    limited = params.model_copy(update={"prices": str(price_file), "max_cost": 0.5, "concurrency": 16})

    outcome = ask(build_questions(*(str(n) for n in range(60))), limited, progress=False)

    assert outcome.from_server == 4
    assert outcome.budget.spent.cost == pytest.approx(4 * (11 + 100 * 1000) / 1e6)


def test_answers_that_grow_go_beyond_the_limit_by_no_more_than_what_was_in_flight(server, params):
    sizes = itertools.count(100, 10)

    def answer_at_length(handler) -> None:
        build_verbose_reply(next(sizes))(handler)

    server.always = answer_at_length
    limited = params.model_copy(update={"max_tokens": 10_000, "concurrency": 4})

    outcome = ask(build_questions(*(str(n) for n in range(200))), limited, progress=False)

    assert outcome.budget.spent.tokens <= 10_000 + 4 * 4 * 10


def test_the_first_answer_is_waited_for_where_there_is_a_limit_and_a_lost_try_ends_the_waiting(server, params):
    server.latency = 0.3
    server.faults = [reset]
    texts = [str(n) for n in range(8)]
    limited = params.model_copy(update={"max_tokens": 10**6, "concurrency": 8})

    assert ask_all(build_questions(*texts), limited, progress=False).from_server == 8
    assert ask_all(build_questions("x", "y"), params, progress=False).from_server == 2
    assert len(server.received) == 11
