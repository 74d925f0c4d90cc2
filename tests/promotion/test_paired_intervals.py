"""The gate's intervals, against SciPy, against known answers, and against simulated posts."""

import numpy as np
import pytest
from scipy.stats import bootstrap as run_scipy_bootstrap

from cotpd.evaluation.reliability import compute_calibration
from cotpd.evaluation.scores import count_outcomes
from cotpd.evaluation.significance import compute_f1
from cotpd.promotion.paired_intervals import Bootstrap, compare_calibration, compare_f1, compute_f1_bounds
from cotpd.student.tasks import (
    GoldLabel,
    GoldMention,
    NerPrediction,
    PredictedLabel,
    PredictedMention,
    RePrediction,
)

ALL = ("all", "")
QUICK = Bootstrap(0.95, 1000, 3)


def build_rows(outcomes, label="PER", score=0.9):
    """Build a post for each (hits, spurious, missed)."""
    rows = []
    for number, (hits, spurious, missed) in enumerate(outcomes):
        gold = [GoldMention(index, index + 1, label) for index in range(hits + missed)]
        right = [PredictedMention(index, index + 1, label, score) for index in range(hits)]
        wrong = [PredictedMention(100 + index, 101 + index, label, score) for index in range(spurious)]
        rows.append(NerPrediction(id=f"p{number}", split="test", model="m", gold=gold, predicted=right + wrong))
    return rows


def draw_outcomes(rng, count, recall):
    """Draw posts of two gold mentions, each of which is predicted with a probability."""
    hits = rng.binomial(2, recall, count)
    return [(int(hit), int(rng.random() < 0.2), 2 - int(hit)) for hit in hits]


def test_the_interval_is_that_of_scipys_bootstrap():
    rng = np.random.default_rng(1)
    first, second = (build_rows(draw_outcomes(rng, 150, recall)) for recall in (0.8, 0.7))
    table = np.hstack([count_outcomes(first), count_outcomes(second)])

    def compute_difference(indices, axis):
        totals = table[indices.astype(int)].sum(-2)
        return compute_f1(totals[..., :3]) - compute_f1(totals[..., 3:])

    rng = np.random.default_rng(2)
    options = {"confidence_level": 0.9, "n_resamples": 10_000, "method": "percentile", "batch": 1000}
    expected = run_scipy_bootstrap((np.arange(150),), compute_difference, rng=rng, **options).confidence_interval

    difference = compare_f1(first, second, {}, Bootstrap(0.95, 10_000, 3))[ALL]

    assert difference.low == pytest.approx(expected.low, abs=0.003)
    assert difference.high == pytest.approx(expected.high, abs=0.003)


def test_a_model_does_not_differ_from_itself_in_any_part():
    rows = build_rows(draw_outcomes(np.random.default_rng(1), 40, 0.7))

    differences = compare_f1(rows, rows, {"half": frozenset(row.id for row in rows[::2])}, QUICK)

    assert list(differences) == [ALL, ("type", "PER"), ("slice", "half")]
    assert {(row.value, row.low, row.high) for row in differences.values()} == {(0, 0, 0)}
    assert [row.support for row in differences.values()] == [80, 80, 40]


def test_a_part_is_scored_on_its_own_mentions_and_posts():
    right = [*build_rows([(1, 0, 0)] * 30), *build_rows([(1, 0, 0)] * 30, label="ORG")]
    worse = [*build_rows([(1, 0, 0)] * 30), *build_rows([(0, 1, 1)] * 30, label="ORG")]
    for number, rows in enumerate(zip(right, worse, strict=True)):
        right[number], worse[number] = (row.model_copy(update={"id": f"p{number}"}) for row in rows)

    differences = compare_f1(worse, right, {"first": frozenset(f"p{number}" for number in range(30))}, QUICK)

    assert differences[ALL].value == -0.5
    assert differences["type", "PER"].value == 0
    assert differences["type", "ORG"][2:5] == (-1, -1, -1)
    assert differences["slice", "first"].value == 0


def test_a_type_that_one_model_alone_predicts_has_no_support():
    plain = build_rows([(1, 0, 0)] * 5)
    inventive = [
        row.model_copy(update={"predicted": [*row.predicted, PredictedMention(9, 10, "MISC", 0.5)]})
        for row in plain
    ]

    forwards = compare_f1(inventive, plain, {}, QUICK)
    backwards = compare_f1(plain, inventive, {}, QUICK)

    assert forwards["type", "MISC"].support == backwards["type", "MISC"].support == 0
    assert forwards[ALL].value == pytest.approx(-backwards[ALL].value)


def test_the_pairs_of_a_post_are_drawn_together():
    def build_pairs(posts):
        gold, wrong = GoldLabel("member"), PredictedLabel("None", 0.5)
        return [
            RePrediction(id=f"{post}#{pair}", split="test", model="m", gold=gold, predicted=predicted)
            for post, right in enumerate(posts)
            for pair in range(10)
            for predicted in [PredictedLabel("member", 0.9) if right else wrong]
        ]

    together = compare_f1(build_pairs([True] * 10), build_pairs([True] * 7 + [False] * 3), {}, QUICK)[ALL]
    apart = compare_f1(build_rows([(1, 0, 0)] * 100), build_rows([(1, 0, 0)] * 70 + [(0, 0, 1)] * 30), {}, QUICK)[
        ALL
    ]

    assert together.value == apart.value
    assert together.high - together.low > 2 * (apart.high - apart.low)


@pytest.mark.parametrize("fall", [0.0, 0.05])
def test_a_difference_at_the_bound_is_taken_for_a_better_one_in_one_of_twenty_samples(fall):
    rng = np.random.default_rng(5)
    recall = 0.7
    champion_f1 = 2 * recall / (1 + recall)
    lower_f1 = champion_f1 - fall
    recalls = lower_f1 / (2 - lower_f1), recall  # of the challenger, whose F1 is lower by exactly the fall
    passes, samples = 0, 200

    for seed in range(samples):
        hits = np.stack([rng.random(200) < value for value in recalls], 1)  # (posts, models)
        counts = np.stack([hits, np.zeros_like(hits), ~hits], -1).astype(int)[:, :, None]
        low = compute_f1_bounds(counts, Bootstrap(0.95, 500, seed))[0, 0]
        passes += low > -fall

    assert 0.01 < passes / samples < 0.1


def test_the_calibration_error_is_the_reports():
    rng = np.random.default_rng(1)
    first = build_rows(draw_outcomes(rng, 60, 0.9), score=0.85)
    second = build_rows(draw_outcomes(rng, 60, 0.6), score=0.95)

    difference = compare_calibration(first, second, QUICK)

    errors = [compute_calibration(rows).error for rows in (first, second)]
    assert [difference.challenger, difference.champion] == pytest.approx(errors)
    assert difference.low < difference.value < difference.high
    assert difference.support == min(compute_calibration(rows).count for rows in (first, second))


def test_there_is_no_calibration_without_scores():
    unscored = build_rows([(1, 0, 0)] * 5, score=-1.0)

    assert compare_calibration(unscored, build_rows([(1, 0, 0)] * 5), QUICK) is None
