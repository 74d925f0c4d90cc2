"""Intervals of F1, by type and by slice, against the scores and against resampling one part by itself."""

import numpy as np
import pytest

from cotpd.evaluation.intervals import compute_intervals
from cotpd.evaluation.scores import count_outcomes, score
from cotpd.evaluation.significance import compute_f1, resample
from cotpd.student.tasks import NerPrediction, RePrediction


def build_mentions(count=60, model="student"):
    """Every third post misses its person, every fourth calls its city one; an even post has no city."""
    rows = []
    for number in range(count):
        gold = [[0, 1, "PER"], [2, 3, "LOC"]] if number % 2 else [[0, 1, "PER"]]
        predicted = [[0, 1, "PER", 0.9]] if number % 3 else []
        predicted += [[2, 3, "PER" if number % 4 == 3 else "LOC", 0.9]] if number % 2 else []
        rows.append(NerPrediction(id=str(number), split="test", model=model, gold=gold, predicted=predicted))
    return rows


def test_each_part_has_the_f1_of_its_score_and_the_interval_of_its_own_resamples():
    rows = build_mentions()
    scores = score(rows, "ner")

    intervals = {(row.part, row.name): row for row in compute_intervals(rows, {}, seed=3)}

    assert list(intervals) == [("all", ""), ("type", "LOC"), ("type", "PER")]
    assert intervals["all", ""].f1 == pytest.approx(scores.f1, abs=1e-6)
    for name, expected in scores.per_type.items():
        row = intervals["type", name]
        assert (row.f1, row.support) == (pytest.approx(expected.f1, abs=1e-6), expected.support)
        assert row.low < row.f1 < row.high
    alone = resample(count_outcomes(rows), compute_f1, 1000, np.random.default_rng(3))
    bounds = np.percentile(alone, [2.5, 97.5])
    assert [intervals["all", ""].low, intervals["all", ""].high] == pytest.approx(bounds, abs=1e-6)


def test_a_slice_counts_its_own_examples_and_one_without_gold_has_no_row():
    rows = build_mentions()
    odd = frozenset(str(number) for number in range(1, 60, 2))
    slices = {"test": {"odd": odd, "empty": frozenset()}}

    intervals = [row for row in compute_intervals(rows, slices, seed=3) if row.part == "slice"]

    (row,) = intervals
    expected = score([prediction for prediction in rows if prediction.id in odd], "ner")
    assert (row.name, row.support, row.f1) == ("odd", expected.support, pytest.approx(expected.f1, abs=1e-6))


def test_models_and_splits_have_rows_of_their_own_and_the_same_seed_gives_the_same_rows():
    rows = [*build_mentions(20), *build_mentions(20, "baseline")]

    first, second = (list(compute_intervals(rows, {}, seed=1, resamples=50)) for _ in range(2))

    assert first == second
    assert {(row.split, row.model) for row in first} == {("test", "student"), ("test", "baseline")}


def test_the_pairs_of_a_post_are_drawn_together():
    rows = [
        RePrediction(
            id=f"{post}#{pair}",
            split="test",
            model="student",
            gold=["r"],
            predicted=["r" if post % 2 else "q", 0.5],
        )
        for post in range(10)
        for pair in range(40)
    ]

    row = next(compute_intervals(rows, {}, seed=1))

    assert row.high - row.low > 0.4  # as of 10 draws; 400 would give 0.1
