"""The plan: rates, cost and duration, and the answers that may be asked for again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.knowledge.retry import build_retry_params
from cotpd.llm.ledger.ledger import Ledger
from cotpd.pipeline.plan import learn_rates, make_plan
from cotpd.pipeline.planned_questions import iterate_questions
from tests.builders import write_jsonl
from tests.pipeline.planned_project import (
    POSTS,
    build_entry,
    build_example,
    change_llm,
    run_plan,
    write_params,
)


def test_rates_are_learnt_from_the_answers_of_the_model(params):
    with Ledger(params.llm.ledger) as ledger:
        ledger.put(build_entry(build_example(params, Kind.SENTENCE), params))

        rates, rates_of_another = learn_rates(ledger, params.llm.model), learn_rates(ledger, "another")

    assert (rates.answers, rates.seconds) == (1, 2.5)
    assert rates_of_another.answers == 0


def test_the_duration_follows_from_the_rates_and_from_the_limits(params):
    with Ledger(params.llm.ledger) as ledger:
        ledger.put(build_entry(build_example(params, Kind.SENTENCE), params))
    slow = change_llm(params, requests_per_minute=1)

    plan = make_plan(params)

    requests = sum(row.asked for row in plan.kinds.values())
    assert plan.estimate_seconds(params.llm) == pytest.approx(requests * 2.5 / params.llm.concurrency)
    assert plan.estimate_seconds(slow.llm) == requests * 60


def test_an_answer_without_counted_tokens_teaches_nothing(params):
    uncounted = replace(build_entry(build_example(params, Kind.NOUN), params), prompt_tokens="n/a")
    counted = build_entry(build_example(params, Kind.SENTENCE), params)
    with Ledger(params.llm.ledger) as ledger:
        ledger.put_many([uncounted, counted])

        rates = learn_rates(ledger, params.llm.model)

    assert rates.answers == 1


def test_without_a_price_there_is_no_cost(params):
    assert make_plan(params).estimate_cost() is None


def test_the_highest_cost_is_above_the_probable_one(params):
    plan = make_plan(change_llm(params, model="gpt-4o-mini"))

    assert 0 < plan.estimate_cost() < plan.estimate_cost(at_most=True)


def test_a_batch_is_planned_at_half_the_price(params):
    live = make_plan(change_llm(params, model="gpt-4o-mini"))
    batch = make_plan(change_llm(params, model="gpt-4o-mini", mode="batch"))

    assert batch.estimate_cost() == pytest.approx(live.estimate_cost() / 2)


def test_the_command_names_the_source_of_the_price(params):
    write_params(change_llm(params, model="gpt-4o-mini", mode="batch"))

    output = run_plan()

    assert "halved for batch mode: https://" in output
    assert "within a day" in output


def test_the_labels_that_the_model_alone_is_asked_for_are_counted_with_tokens_and_cost(params):
    write_jsonl(
        Path("posts/test.jsonl"), [{**row, "id": f"t{row['id']}", "text": f"{row['text']} !"} for row in POSTS]
    )
    settings = {"llm_row": params.llm_row.model_copy(update={"enabled": True, "shots": 2})}
    priced = change_llm(params, model="gpt-4o-mini").model_copy(update=settings)

    plan = make_plan(priced)

    row = plan.kinds[Kind.EXTRACT]
    assert (row.requests, row.asked, row.most) == (6, 6, 6 * 160)
    assert row.prompt_tokens > 0
    silent = make_plan(priced.model_copy(update={"llm_row": params.llm_row}))
    assert plan.estimate_cost() > silent.estimate_cost()
    assert Kind.EXTRACT not in silent.kinds


def test_each_of_several_answers_is_counted_and_paid_for(params):
    priced = change_llm(params, model="gpt-4o-mini")
    several = priced.model_copy(update={"ask": priced.ask.model_copy(update={"answers": 3})})

    single, triple = make_plan(priced, [Kind.NOUN]), make_plan(several, [Kind.NOUN])

    assert (single.kinds[Kind.NOUN].asked, triple.kinds[Kind.NOUN].asked) == (2, 6)
    assert triple.estimate_cost() == pytest.approx(3 * single.estimate_cost())


def ask_again(params: Params, times: int) -> Params:
    return params.model_copy(update={"validate_": params.validate_.model_copy(update={"reask": times})})


def test_answers_that_may_be_asked_for_again_raise_the_highest_cost_alone(params):
    priced = change_llm(params, model="gpt-4o-mini")

    once, thrice = make_plan(priced, [Kind.NOUN]), make_plan(ask_again(priced, 2), [Kind.NOUN])

    assert (thrice.kinds[Kind.NOUN].asked, thrice.kinds[Kind.NOUN].retries) == (2, 2 * 2)
    assert thrice.estimate_cost() == once.estimate_cost()
    assert thrice.estimate_cost(at_most=True) == pytest.approx(3 * once.estimate_cost(at_most=True))


def test_of_the_answers_in_the_ledger_those_that_fail_their_checks_may_be_asked_for_again(params):
    again = ask_again(params, 2)
    [holding, failing] = [row.question for row in iterate_questions(params) if row.question.kind is Kind.NOUN]
    retried = change_llm(params, **build_retry_params(params.llm, 1).model_dump(include={"seed", "temperature"}))
    entries = [build_entry(holding, params), build_entry(failing, params, "I'm sorry, I cannot help with that.")]
    retries = []
    for entry in (*entries, build_entry(failing, retried)):
        with Ledger(params.llm.ledger) as ledger:
            ledger.put(entry)

        retries.append(make_plan(again, [Kind.NOUN]).kinds[Kind.NOUN].retries)

    assert retries == [2, 2, 0]  # of an answer that is not there, of one that fails, of a retry that holds


def test_the_command_names_the_answers_that_may_be_asked_for_again(params):
    write_params(ask_again(params, 1))

    output = run_plan("--no-prompts", "--kind", "noun")

    assert "retries   2 more at most, if every answer fails its checks (validate.reask)" in output


@pytest.mark.parametrize(
    ("changes", "trainings", "line"),
    [
        ({"distil": {"way": "joint"}, "teach": {"folds": 5}}, 0, None),
        ({"distil": {"way": "frozen"}}, 1, None),
        ({"distil": {"way": "frozen"}, "teach": {"folds": 1, "count": 2}}, 2, None),
        (
            {"distil": {"way": "frozen"}, "teach": {"folds": 5, "count": 2}},
            10,
            "10 trainings on 4 of 5 folds each (teach.folds): as long as 8 teachers of all posts",
        ),
        (
            {"distil": {"way": "frozen"}, "teach": {"folds": 3}, "control": {"enabled": True}},
            6,
            "6 trainings on 2 of 3 folds each (teach.folds), those of the control included: as long as 4 teachers",
        ),
    ],
)
def test_the_cost_of_cross_fitted_teachers_is_said(params: Params, changes, trainings, line) -> None:
    write_params(Params.model_validate(params.model_dump(by_alias=True) | changes))

    text = CliRunner().invoke(app, ["plan", "--no-prompts"]).stdout
    plan = json.loads(CliRunner().invoke(app, ["plan", "--json"]).stdout)

    assert plan["teacher_trainings"] == trainings
    assert ("teachers  " in text) == bool(line)
    assert not line or line in text
