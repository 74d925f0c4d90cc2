"""The statistics agree with SciPy's, and with sums by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from cotpd.monitoring.shift_statistics import (
    compare_counts,
    compute_chi_squared,
    compute_cramers_v,
    compute_permutation_p_value,
    compute_psi,
)

COUNTS = np.array([[30, 50, 20], [10, 60, 40]])


def test_psi_is_the_sum_of_share_differences_times_their_log_ratio():
    before, after = [30.5 / 101.5, 50.5 / 101.5, 20.5 / 101.5], [10.5 / 111.5, 60.5 / 111.5, 40.5 / 111.5]

    psi = compute_psi(COUNTS)

    assert psi == pytest.approx(sum((b - a) * math.log(b / a) for a, b in zip(before, after, strict=True)))
    assert compute_psi(np.array([[5, 5], [10, 10]])) == pytest.approx(0, abs=1e-12)
    assert math.isfinite(compute_psi(np.array([[0, 10], [10, 0]])))


def test_chi_squared_and_its_effect_size_are_scipys():
    result = stats.chi2_contingency(COUNTS, correction=False)

    assert compute_chi_squared(COUNTS) == pytest.approx(result.statistic)
    assert compute_cramers_v(COUNTS) == pytest.approx(stats.contingency.association(COUNTS, "cramer"))
    assert compare_counts(COUNTS)[:2] == ("chi-squared", pytest.approx(result.pvalue))


def test_a_table_of_four_cells_is_tested_exactly():
    counts = np.array([[3, 17], [9, 8]])

    name, p_value, _ = compare_counts(counts)

    assert (name, p_value) == ("Fisher", pytest.approx(stats.fisher_exact(counts).pvalue))


def test_permutations_of_posts_agree_with_scipys():
    rng = np.random.default_rng(5)
    posts = np.vstack([rng.multinomial(2, [0.5, 0.3, 0.2], 60), rng.multinomial(2, [0.35, 0.35, 0.3], 60)])

    def compute_statistic(first, second):
        return compute_chi_squared(np.array([posts[first.astype(int)].sum(0), posts[second.astype(int)].sum(0)]))

    halves = (np.arange(60), np.arange(60, 120))
    expected = stats.permutation_test(
        halves, compute_statistic, n_resamples=2000, alternative="greater", vectorized=False, rng=1
    )

    assert compute_permutation_p_value(posts, 60) == pytest.approx(expected.pvalue, abs=0.03)
