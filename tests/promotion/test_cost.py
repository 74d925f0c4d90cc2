"""Time and memory of prediction, measured in processes that take turns, and judged by a factor."""

import pytest

from cotpd.errors import ModelError
from cotpd.promotion.contenders import Runner
from cotpd.promotion.cost import Cost, Costs, build_row, judge_memory, judge_time, measure_costs
from cotpd.promotion.rules import CostRule
from cotpd.student.examples import build_examples
from tests.peak_memory import needs_proc
from tests.promotion.gate_project import build_held_out

RUNNER = Runner("torch", "cpu")
RULE = CostRule(time_factor=2.0, memory_factor=2.0, posts=8, rounds=2)


@needs_proc
@pytest.mark.slow
def test_a_model_costs_what_it_costs_itself(students):
    for task in ("ner", "re"):
        examples = build_examples(build_held_out(8), task, {}, {})

        costs = measure_costs(str(students[task]), str(students[task]), examples, RUNNER, RULE)

        assert 0.1 < costs.time_factor < 10
        assert costs.challenger.seconds > 0
        assert 0.8 < costs.challenger.memory / costs.champion.memory < 1.25
        assert costs.champion.memory > 50e6


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_ends_the_measurement(students, tmp_path):
    examples = build_examples(build_held_out(1), "ner", {}, {})

    with pytest.raises(ModelError, match="ended early"):
        measure_costs(str(tmp_path / "nowhere"), str(students["ner"]), examples, RUNNER, RULE)


def test_a_measurement_that_takes_too_long_is_ended(students):
    examples = build_examples(build_held_out(1), "ner", {}, {})
    rule = RULE.model_copy(update={"limit_seconds": 0.05})

    with pytest.raises(ModelError, match=r"took too long"):
        measure_costs(str(students["ner"]), str(students["ner"]), examples, RUNNER, rule)


@pytest.mark.parametrize(("factor", "status"), [(0.5, "passed"), (2.0, "passed"), (2.01, "failed")])
def test_time_may_rise_up_to_the_factor(factor, status):
    costs = Costs(Cost(factor, 1), Cost(1.0, 1), factor)

    result = judge_time(costs, RULE, 8)

    assert (result.status, result.difference, result.bound) == (status, factor, 2.0)
    assert f"{factor:.2f} times; allowed: 2 times" in result.explanation


@pytest.mark.parametrize(("memory", "status"), [(150, "passed"), (201, "failed"), (None, "skipped")])
def test_memory_may_rise_up_to_the_factor(memory, status):
    costs = Costs(Cost(1.0, memory), Cost(1.0, 100), 1.0)

    assert judge_memory(costs, RULE).status == status


def test_a_pair_is_measured_with_its_mentions_in_characters():
    (example,) = build_examples(build_held_out(1), "re", {}, {})

    assert build_row(example) == {"text": "Ada works for Acme in Rome", "head": [0, 3], "tail": [14, 18]}
