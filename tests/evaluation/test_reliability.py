"""Reliability: against the definition, and where there is nothing to judge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.evaluation.reliability import compute_calibration, compute_calibrations
from cotpd.student.tasks import NerPrediction, RePrediction

judged = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def make_relations(pairs, key="1"):
    return [
        RePrediction(id=key, split="test", model="student", gold=["a"], predicted=["a" if right else "b", score])
        for score, right in pairs
    ]


@given(judged)
def test_the_error_is_the_mean_gap_over_the_bins(pairs):
    calibration = compute_calibration(make_relations(pairs))

    error = 0.0
    for low in range(10):  # (low, high] in tenths, zero with the first
        inside = [(s, r) for s, r in pairs if low / 10 < s <= (low + 1) / 10 or (low == 0 and s == 0)]
        if inside:
            scores, right = np.array(inside, float).T
            error += len(inside) / len(pairs) * abs(scores.mean() - right.mean())
    assert calibration.error == pytest.approx(error)
    assert sum(part.count for part in calibration.bins) == calibration.count == len(pairs)
    assert all(part.low < part.score <= part.high + 1e-12 or part.score == 0 for part in calibration.bins)


def test_scores_that_are_right_as_often_as_they_say_have_no_error():
    assert compute_calibration(make_relations([(0.75, n < 3) for n in range(4)])).error == pytest.approx(0)


def test_sure_predictions_that_are_wrong_have_the_largest_error():
    assert compute_calibration(make_relations([(1.0, False)] * 3)).error == 1


def test_a_mention_is_right_only_with_its_ends_and_its_type():
    row = NerPrediction(
        id="1",
        split="test",
        model="student",
        gold=[[0, 2, "PER"], [3, 4, "ORG"]],
        predicted=[[0, 2, "PER", 0.9], [3, 4, "LOC", 0.8], [5, 6, "PER", 0.3]],
    )

    calibration = compute_calibration([row])

    assert [(part.count, part.right) for part in calibration.bins] == [(1, 0), (1, 0), (1, 1)]
    assert (calibration.count, calibration.right) == (3, pytest.approx(1 / 3))


def make_bare_row():
    return NerPrediction(id="1", split="test", model="student", gold=[[0, 1, "PER"]], predicted=[[0, 1, "PER"]])


@pytest.mark.parametrize("rows", [[], [make_bare_row()]])
def test_without_predictions_or_scores_there_is_no_calibration(rows):
    assert compute_calibration(rows) is None


def test_a_model_without_scores_is_left_out():
    calibrations = compute_calibrations({"baseline": [make_bare_row()], "student": make_relations([(0.5, True)])})

    assert list(calibrations) == ["student"]
