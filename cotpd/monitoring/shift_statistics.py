"""Two rows of counts, a reference and a window: how far apart they are, and how likely chance is."""

import numpy as np

_SMOOTHING = 0.5  # counts that are added to each bin, or an empty one would make the PSI infinite
_PERMUTATIONS = 999


def compute_psi(counts: np.ndarray) -> float:
    """Return the population stability index of two rows of counts, (2, bins), each count raised by a half."""
    before, after = compute_shares(counts + _SMOOTHING)
    return float(np.sum((after - before) * np.log(after / before)))


def compute_shares(counts: np.ndarray) -> np.ndarray:
    """Return the share of each bin, (2, bins), from counts."""
    shares: np.ndarray = counts / counts.sum(1, keepdims=True)
    return shares


def compute_chi_squared(counts: np.ndarray) -> float:
    """Return Pearson's statistic of a table of two rows, (2, bins); empty bins count nothing."""
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / max(1, counts.sum())
    return float(np.sum(np.where(expected > 0, (counts - expected) ** 2 / np.maximum(expected, 1e-12), 0)))


def compute_cramers_v(counts: np.ndarray) -> float:
    """Return the effect size of a table of two rows."""
    return float(np.sqrt(compute_chi_squared(counts) / max(1, counts.sum())))


def compare_counts(counts: np.ndarray) -> tuple[str, float, float]:
    """Return a test of two rows of counts, its p-value and effect size; exact for a table of four cells."""
    from scipy import stats  # noqa: PLC0415  takes a second to import, and is of an extra

    effect = compute_cramers_v(counts)
    if counts.shape[1] == 2:
        return "Fisher", float(stats.fisher_exact(counts).pvalue), effect
    return "chi-squared", float(stats.chi2_contingency(counts, correction=False).pvalue), effect


def compute_permutation_p_value(posts: np.ndarray, size: int, seed: int = 0) -> float:
    """Return the share of permutations in which two groups of posts differ as much as they do.

    Both counts are raised by one, so that it is never zero.

    Args:
        posts: Counts by type, shape (posts, types); the first ``size`` are one group.
        size: The number of posts in the first group.
        seed: The seed of the permutations.
    """
    rng, total = np.random.default_rng(seed), posts.sum(0)
    observed = compute_chi_squared(np.array([posts[:size].sum(0), total - posts[:size].sum(0)]))
    extreme = 0
    for _ in range(_PERMUTATIONS):
        first = posts[rng.permutation(len(posts))[:size]].sum(0)
        extreme += compute_chi_squared(np.array([first, total - first])) >= observed - 1e-9
    return (extreme + 1) / (_PERMUTATIONS + 1)
