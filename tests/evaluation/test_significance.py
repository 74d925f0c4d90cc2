"""The bootstrap against a plain loop, and where it must and must not see a difference."""

import itertools

import numpy as np
import pytest

from cotpd.errors import DataError
from cotpd.evaluation import significance
from cotpd.evaluation.scores import count_outcomes, score
from cotpd.evaluation.significance import apply_holm, run_paired_bootstrap
from cotpd.student.tasks import RePrediction


def make_rows(right):
    """Relation predictions, right or wrong as told."""
    return [
        RePrediction(id=f"{n}#0", split="test", model="m", gold=["a"], predicted=["a" if is_right else "b"])
        for n, is_right in enumerate(right)
    ]


def test_the_same_seed_gives_the_same_figures_and_another_seed_others():
    first, second = make_rows([True] * 30 + [False] * 10), make_rows([True] * 22 + [False] * 18)

    once, again, otherwise = (run_paired_bootstrap(first, second, seed=seed) for seed in (1, 1, 2))

    assert once == again != otherwise


def test_the_difference_is_that_of_the_scores():
    first, second = make_rows([True] * 30 + [False] * 10), make_rows([True] * 22 + [False] * 18)

    difference = run_paired_bootstrap(first, second, seed=1)

    assert difference.f1 == pytest.approx(score(first, "re").f1 - score(second, "re").f1)
    assert difference.low < difference.f1 < difference.high


def test_every_resample_is_what_scoring_the_drawn_examples_gives(monkeypatch):
    """Given the weights that were drawn, each difference equals a plain count over the repeated examples."""
    first, second = make_rows([True, False, True, True, False]), make_rows([False, True, True, False, False])
    table = np.stack([count_outcomes(first), count_outcomes(second)], 1)[:, :, None]
    monkeypatch.setattr(significance, "CELLS", 15)  # three resamples at a time: the seams are crossed

    differences = significance._draw_gains(table, 20, np.random.default_rng(5), draws_seeds=False)

    rng = np.random.default_rng(5)
    weights = np.vstack([rng.multinomial(5, np.full(5, 0.2), count) for count in (3, 3, 3, 3, 3, 3, 2)])
    for drawn, difference in zip(weights, differences, strict=True):
        indices = np.repeat(np.arange(5), drawn)
        left, right = [first[n] for n in indices], [second[n] for n in indices]
        assert difference == pytest.approx(score(left, "re").f1 - score(right, "re").f1)


def test_models_that_agree_do_not_differ():
    same = make_rows([True, False] * 20)

    difference = run_paired_bootstrap(same, same, seed=1)

    assert (difference.f1, difference.low, difference.high) == (0, 0, 0)
    assert difference.p_value == difference.p_randomised == 1


def test_a_plain_improvement_is_significant():
    first, second = make_rows([True] * 95 + [False] * 5), make_rows([True] * 55 + [False] * 45)

    clear = run_paired_bootstrap(first, second, seed=1)

    assert max(clear.p_value, clear.p_randomised) < 0.01
    assert clear.low > 0


def test_a_coin_flip_is_not_significant():
    first, second = make_rows([True, False] * 20), make_rows([False, True] * 19 + [False] * 2)

    luck = run_paired_bootstrap(first, second, seed=1)

    assert min(luck.p_value, luck.p_randomised) > 0.3


def test_the_randomised_p_is_the_share_of_all_swaps():
    first, second = [True, False, True, True, False, True], [False, True, True, False, False, False]
    gaps = np.subtract(first, second, dtype=int)
    gains = np.array(list(itertools.product((1, -1), repeat=6))) @ gaps
    exact = np.mean(np.abs(gains) >= abs(gaps.sum()))

    difference = run_paired_bootstrap(make_rows(first), make_rows(second), seed=1, resamples=20_000)

    assert difference.p_randomised == pytest.approx(exact, abs=0.01)


def test_the_pairs_of_one_post_are_drawn_together():
    """Ten posts of ten equal pairs are ten draws: their interval is that of ten pairs."""
    right, wrong = [True] * 6 + [False] * 4, [True] * 3 + [False] * 7
    rows = {}
    for name, outcomes in (("first", right), ("second", wrong)):
        repeated = make_rows(np.repeat(outcomes, 10).tolist())
        rows[name] = [row.model_copy(update={"id": f"{n // 10}#{n % 10}"}) for n, row in enumerate(repeated)]

    difference = run_paired_bootstrap(rows["first"], rows["second"], seed=1)

    assert difference == run_paired_bootstrap(make_rows(right), make_rows(wrong), seed=1)


def test_under_no_difference_small_p_values_are_as_rare_as_they_should_be():
    """Two models right on a random half each: p < 0.1 in about a tenth of the trials."""
    rng = np.random.default_rng(0)

    p = [
        run_paired_bootstrap(
            make_rows(rng.random(60) < 0.6), make_rows(rng.random(60) < 0.6), seed=n, resamples=200
        ).p_value
        for n in range(150)
    ]

    assert 0.03 < np.mean(np.array(p) < 0.1) < 0.2


@pytest.mark.parametrize("second", [make_rows([True]), list(reversed(make_rows([True, False])))])
def test_other_examples_are_refused(second):
    with pytest.raises(DataError, match="same examples"):
        run_paired_bootstrap(make_rows([True, False]), second, seed=1)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # the example of R's p.adjust
        ([0.2], [0.2]),
        ([0.6, 0.9], [1.0, 1.0]),
        ([], []),
    ],
)
def test_p_values_are_corrected_as_holm_has_it(p_values, corrected):
    assert apply_holm(p_values) == pytest.approx(corrected)
