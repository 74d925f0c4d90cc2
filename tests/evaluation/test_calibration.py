"""Reliability: against the definition, and where there is nothing to judge."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.data.records import Prediction
from cotpd.evaluation.calibration import calibration, reliabilities

judged = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def relations(pairs, key="1"):
    return [
        Prediction(id=key, split="test", model="student", gold=["a"], predicted=["a" if right else "b", score])
        for score, right in pairs
    ]


@given(judged)
def test_the_error_is_the_mean_gap_over_the_bins(pairs):
    found = calibration(relations(pairs), "re")
    error = 0.0
    for low in range(10):  # (low, high] in tenths, zero with the first
        inside = [(s, r) for s, r in pairs if low / 10 < s <= (low + 1) / 10 or (low == 0 and s == 0)]
        if inside:
            scores, right = np.array(inside, float).T
            error += len(inside) / len(pairs) * abs(scores.mean() - right.mean())
    assert found.error == pytest.approx(error)
    assert sum(one.count for one in found.bins) == found.count == len(pairs)
    assert all(one.low < one.score <= one.high + 1e-12 or one.score == 0 for one in found.bins)


def test_scores_that_keep_their_word_have_no_error_and_sure_ones_that_are_wrong_the_largest():
    assert calibration(relations([(0.75, n < 3) for n in range(4)]), "re").error == pytest.approx(0)
    assert calibration(relations([(1.0, False)] * 3), "re").error == 1


def test_a_mention_is_right_only_with_its_ends_and_its_type():
    row = Prediction(
        id="1",
        split="test",
        model="student",
        gold=[[0, 2, "PER"], [3, 4, "ORG"]],
        predicted=[[0, 2, "PER", 0.9], [3, 4, "LOC", 0.8], [5, 6, "PER", 0.3]],
    )
    found = calibration([row], "ner")
    assert [(one.count, one.right) for one in found.bins] == [(1, 0), (1, 0), (1, 1)]
    assert (found.count, found.right) == (3, pytest.approx(1 / 3))


def test_without_predictions_or_scores_there_is_nothing_to_judge():
    bare = Prediction(id="1", split="test", model="student", gold=[[0, 1, "PER"]], predicted=[[0, 1, "PER"]])
    assert calibration([], "re") is calibration([bare], "ner") is None
    assert list(reliabilities({"baseline": [bare], "student": relations([(0.5, True)])}, "re")) == ["student"]
