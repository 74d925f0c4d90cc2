"""The bootstrap against a plain loop, and where it must and must not see a difference."""

import numpy as np
import pytest

from cotpd.data.records import Prediction
from cotpd.errors import DataError
from cotpd.evaluation import significance
from cotpd.evaluation.scores import counts, score
from cotpd.evaluation.significance import paired_bootstrap


def rows(right):
    """Relation predictions, right or wrong as told."""
    return [
        Prediction(id=str(n), split="test", model="m", gold=["a"], predicted=["a" if one else "b"])
        for n, one in enumerate(right)
    ]


def test_the_same_seed_gives_the_same_figures_and_another_seed_others():
    ours, theirs = rows([True] * 30 + [False] * 10), rows([True] * 22 + [False] * 18)
    once = paired_bootstrap(ours, theirs, "re", seed=1)
    assert once == paired_bootstrap(ours, theirs, "re", seed=1)
    assert once != paired_bootstrap(ours, theirs, "re", seed=2)


def test_the_difference_is_that_of_the_scores():
    ours, theirs = rows([True] * 30 + [False] * 10), rows([True] * 22 + [False] * 18)
    found = paired_bootstrap(ours, theirs, "re", seed=1)
    assert found.f1 == pytest.approx(score(ours, "re").f1 - score(theirs, "re").f1)
    assert found.low < found.f1 < found.high


def test_every_resample_is_what_scoring_the_drawn_examples_gives(monkeypatch):
    """Given the weights that were drawn, each difference equals a plain count over the repeated examples."""
    ours, theirs = rows([True, False, True, True, False]), rows([False, True, True, False, False])
    table = np.hstack([counts(ours, "re"), counts(theirs, "re")])
    monkeypatch.setattr(significance, "CELLS", 15)  # three resamples at a time: the seams are crossed
    got = significance.resampled(table, significance._difference, 20, np.random.default_rng(5))
    weights = np.vstack(
        [(rng := np.random.default_rng(5)).multinomial(5, np.full(5, 0.2), 3)]
        + [rng.multinomial(5, np.full(5, 0.2), n) for n in (3, 3, 3, 3, 3, 2)]
    )
    for drawn, one in zip(weights, got, strict=True):
        places = np.repeat(np.arange(5), drawn)
        plain = [score([side[n] for n in places], "re").f1 for side in (ours, theirs)]
        assert one == pytest.approx(plain[0] - plain[1])


def test_models_that_agree_do_not_differ():
    same = rows([True, False] * 20)
    found = paired_bootstrap(same, same, "re", seed=1)
    assert (found.f1, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_a_plain_improvement_is_significant_and_a_coin_flip_is_not():
    clear = paired_bootstrap(rows([True] * 95 + [False] * 5), rows([True] * 55 + [False] * 45), "re", seed=1)
    assert clear.p_value < 0.01
    assert clear.low > 0
    luck = paired_bootstrap(rows([True, False] * 20), rows([False, True] * 19 + [False] * 2), "re", seed=1)
    assert luck.p_value > 0.3


def test_under_no_difference_small_p_values_are_as_rare_as_they_should_be():
    """Two models right on a random half each: p < 0.1 in about a tenth of the trials."""
    rng = np.random.default_rng(0)
    p = [
        paired_bootstrap(
            rows(rng.random(60) < 0.6), rows(rng.random(60) < 0.6), "re", seed=n, resamples=200
        ).p_value
        for n in range(150)
    ]
    assert 0.03 < np.mean(np.array(p) < 0.1) < 0.2


@pytest.mark.parametrize("theirs", [rows([True]), list(reversed(rows([True, False])))])
def test_other_examples_are_refused(theirs):
    with pytest.raises(DataError, match="same examples"):
        paired_bootstrap(rows([True, False]), theirs, "re", seed=1)
