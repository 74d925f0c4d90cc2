"""Verdicts on differences: against brute force, Holm's correction, and what cannot be compared."""

import itertools

import numpy as np
import pytest

from cotpd.errors import DataError
from cotpd.student.tasks import RePrediction
from cotpd.studies.differences import compare_cells, compute_cell_f1

FIRST = {1: (1, 0, 1), 2: (1, 1, 1)}
SECOND = {1: (0, 0, 1), 2: (1, 0, 0)}


def build_rows(right, keys=("a#0", "b#0", "c#0")):
    return [
        RePrediction(id=key, split="test", model="student", gold=["r"], predicted=["r" if is_right else "s", 0.9])
        for key, is_right in zip(keys, right, strict=True)
    ]


def build_table(right_by_seed):
    return {seed: build_rows(right) for seed, right in right_by_seed.items()}


def compute_mean_gain(posts, seeds):
    gains = []
    for seed in seeds:
        first, second = (build_rows(table[seed]) for table in (FIRST, SECOND))
        drawn = [first[post] for post in posts], [second[post] for post in posts]
        gains.append(compute_cell_f1(drawn[0]) - compute_cell_f1(drawn[1]))
    return np.mean(gains)


def test_the_interval_is_that_of_all_draws_of_posts_and_seeds():
    draws = itertools.product(itertools.product(range(3), repeat=3), itertools.product((1, 2), repeat=2))
    every = [compute_mean_gain(posts, seeds) for posts, seeds in draws]

    tested = compare_cells(build_table(FIRST), build_table(SECOND), seed=1, resamples=20_000)

    assert tested.gain == pytest.approx(compute_mean_gain(range(3), (1, 2)))
    assert tested.low == pytest.approx(np.percentile(every, 2.5), abs=0.02)
    assert tested.high == pytest.approx(np.percentile(every, 97.5), abs=0.02)
    exact = np.mean(np.abs(np.array(every) - tested.gain) >= abs(tested.gain) - 1e-12)
    assert tested.p_value == pytest.approx(exact, abs=0.01)


def test_the_randomised_p_is_the_share_of_all_swaps():
    every = []
    for swaps in itertools.product((False, True), repeat=3):
        gains = []
        for seed in (1, 2):
            pair = (build_rows(FIRST[seed]), build_rows(SECOND[seed]))
            first = [pair[swap][post] for post, swap in enumerate(swaps)]
            second = [pair[not swap][post] for post, swap in enumerate(swaps)]
            gains.append(compute_cell_f1(first) - compute_cell_f1(second))
        every.append(np.mean(gains))
    exact = np.mean(np.abs(every) >= abs(every[0]) - 1e-12)

    tested = compare_cells(build_table(FIRST), build_table(SECOND), seed=1, resamples=20_000)

    assert tested.p_randomised == pytest.approx(exact, abs=0.01)


def test_one_seed_draws_posts_alone():
    first, second = build_table({1: FIRST[1]}), build_table({1: SECOND[1]})
    every = [compute_mean_gain(posts, (1,)) for posts in itertools.product(range(3), repeat=3)]

    tested = compare_cells(first, second, seed=1, resamples=20_000)

    assert tested.seeds == 1
    assert (tested.low, tested.high) == pytest.approx((min(every), max(every)))


def test_only_seeds_that_both_cells_have_count():
    tested = compare_cells(build_table(FIRST), build_table({1: SECOND[1]}), seed=1, resamples=100)

    assert tested.seeds == 1
    assert tested.gain == pytest.approx(compute_mean_gain(range(3), (1,)))


def test_cells_that_agree_differ_by_nothing():
    tested = compare_cells(build_table(FIRST), build_table(FIRST), seed=1, resamples=100)

    assert (tested.gain, tested.low, tested.high, tested.p_value, tested.p_randomised) == (0, 0, 0, 1, 1)


@pytest.mark.parametrize("keys", [("a#0", "b#0"), ("b#0", "a#0", "c#0")])
def test_other_examples_cannot_be_compared(keys):
    second = {1: build_rows((1, 1, 1)[: len(keys)], keys)}

    with pytest.raises(DataError, match="not tested on the same examples"):
        compare_cells(build_table({1: FIRST[1]}), second, seed=1)


def test_cells_without_a_common_seed_cannot_be_compared():
    with pytest.raises(DataError, match="share no seed"):
        compare_cells(build_table({1: FIRST[1]}), build_table({2: SECOND[2]}), seed=1)
