"""What a difference and its interval decide, at the edges."""

import pytest

from cotpd.promotion.paired_intervals import Difference
from cotpd.promotion.rules import FirstChampionRule, ScoreRule, TypesRule
from cotpd.promotion.score_rules import judge_part, judge_score


def make(value: float, low: float, high: float, support: int = 100) -> Difference:
    return Difference(0.8 + value, 0.8, value, low, high, support)


@pytest.mark.parametrize(
    ("low", "require", "status"),
    [
        (-0.02, "not_worse", "passed"),
        (-0.0201, "not_worse", "failed"),
        (0.0001, "better", "passed"),
        (0.0, "better", "failed"),
    ],
)
def test_the_lower_end_decides_on_the_score(low, require, status):
    result = judge_score(make(0.01, low, 0.04), ScoreRule(require=require))

    assert result.status == status


def test_the_first_champion_must_be_better_by_default():
    assert judge_score(make(0.0, 0.0, 0.0), FirstChampionRule()).status == "failed"


def test_a_refusal_for_want_of_posts_says_how_many_would_do():
    result = judge_score(make(0.02, -0.06, 0.10, support=90), ScoreRule())

    assert "too few to show it: 400 gold labels would" in result.explanation


def test_a_fall_is_refused_without_a_word_about_too_few_posts():
    assert "too few" not in judge_score(make(-0.05, -0.06, -0.04), ScoreRule()).explanation


@pytest.mark.parametrize(
    ("high", "support", "status"),
    [(-0.0501, 30, "failed"), (-0.05, 30, "passed"), (0.1, 30, "passed"), (-0.5, 29, "skipped")],
)
def test_a_part_fails_once_its_whole_interval_lies_below_the_bound(high, support, status):
    result = judge_part("types", "PER", make(-0.3, -0.6, high, support), TypesRule())

    assert result.status == status
    assert (result.rule, result.subject, result.support, result.bound) == ("types", "PER", support, -0.05)


def test_a_slice_is_judged_by_the_score_of_the_task():
    result = judge_part("slices", "long posts", make(-0.3, -0.6, -0.1, 100), TypesRule(), "accuracy")

    assert result.explanation.startswith("accuracy ")
