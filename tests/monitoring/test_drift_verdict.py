"""No shift is no worry; a shift of each kind is one, by its right name."""

import pytest

from cotpd.errors import DataError
from cotpd.monitoring.drift_verdict import judge_window
from tests.monitoring.simulation import build_profile, build_window, draw_posts

REFERENCE = build_profile(draw_posts(700, seed=1))
SHIFTS = {
    "unseen_words": {"unseen": 0.2},
    "scores": {"sureness": 2.5},
    "mentions": {"mentions": 2.6},
    "length": {"length": 21},
    "types": {"mix": (0.6, 0.2, 0.2)},
    "no_prediction": {"blank": 0.5},
}


@pytest.mark.parametrize("size", [200, 1000])
def test_draws_of_one_distribution_worry_in_fewer_than_one_of_twenty_cases(size: int):
    references = [build_profile(draw_posts(700, seed=1000 + seed)) for seed in range(40)]

    verdicts = [judge_window(build_window(draw_posts(size, seed=seed)), references[seed]) for seed in range(40)]

    assert sum(bool(verdict.worries) for verdict in verdicts) <= 2


def test_a_large_window_of_a_hardly_moved_source_is_significant_and_no_worry():
    reference = build_profile(draw_posts(4000, seed=1))

    verdict = judge_window(build_window(draw_posts(15_000, seed=3, length=15.8)), reference)

    [length] = [measure for measure in verdict.measures if measure.name == "length"]
    assert length.p_value < 0.01
    assert verdict.worries == []


@pytest.mark.parametrize("name", SHIFTS)
def test_a_shift_of_each_kind_is_a_worry_by_its_name_with_something_to_do(name: str):
    verdict = judge_window(build_window(draw_posts(500, seed=7, **SHIFTS[name])), REFERENCE)

    assert name in [measure.name for measure in verdict.worries]
    assert verdict.headline.startswith("Worry: ")
    expected = {name} | ({"scores"} if name == "mentions" else {"mentions"} if name == "no_prediction" else set())
    assert {measure.name for measure in verdict.worries} <= expected
    assert all(verdict.as_dict()["do"])


@pytest.mark.parametrize(("side", "count"), [("window", 199), ("reference", 29)])
def test_too_few_posts_are_said_to_say_nothing(side: str, count: int):
    small, large = draw_posts(count, seed=2), draw_posts(500, seed=2)
    profile = build_profile(small) if side == "reference" else REFERENCE

    with pytest.raises(DataError, match=f"the {side} has {count} posts") as caught:
        judge_window(build_window(small if side == "window" else large), profile)

    assert caught.value.remedy


def test_what_weakens_a_comparison_is_said():
    posts = [post.model_copy(update={"score": None}) for post in draw_posts(300, seed=2)]

    verdict = judge_window(
        build_window(posts, rows=400, unreadable=100, notes={"digest": "another"}),
        build_profile(draw_posts(100, seed=1)),
    )

    joined = " ".join(verdict.warnings)
    for words in ("another model", "25% of the rows", "has no scores", "100 posts alone"):
        assert words in joined
    assert "scores" not in [measure.name for measure in verdict.measures]


def test_posts_that_are_all_alike_give_no_measure_and_no_failure():
    alike = [draw_posts(1, seed=1)[0]] * 300

    verdict = judge_window(build_window(alike), build_profile(alike))

    assert verdict.measures == ()
    assert not verdict.worries
