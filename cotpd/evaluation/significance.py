"""Is the difference between two models more than luck? A paired bootstrap, checked by approximate randomisation.

F1 is not a mean over examples, so a t-test does not apply; both tests only need posts that are independent. They
draw in different ways: the bootstrap draws posts with replacement, approximate randomisation (Noreen 1989; Yeh
2000) lets the two models change places in a random half of the posts. Both work on counts by post, as one matrix
product, so that 10,000 draws cost a second even for thousands of posts.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cotpd.errors import DataError
from cotpd.evaluation.scores import DIGITS, count_outcomes, sum_by_post
from cotpd.student.tasks import Prediction

RESAMPLES = 10_000  # of a test that is reported: with 1000 the interval moves by tenths of a point with the seed
SEED = 13  # of the draws, whichever seed a training has, so that every table says the same of the same predictions
CELLS = 4_000_000  # of the weight matrix in memory at a time: 32 MB


@dataclass(frozen=True)
class Difference:
    """The first model's micro-F1 less the second's, its 95 % interval and two-sided p-values."""

    f1: float
    low: float
    high: float
    p_value: float
    """From the same resamples as the interval."""
    p_randomised: float
    """Of approximate randomisation."""
    resamples: int

    def as_dict(self) -> dict[str, float]:
        """Return plain rounded numbers, as scores.json holds them."""
        return {key: round(value, DIGITS) for key, value in asdict(self).items()}


def run_paired_bootstrap(
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    *,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> Difference:
    """Compare two models on the same examples, in the same order; posts are drawn, not the pairs of a post.

    Args:
        first, second: The models' predictions.
        seed: The seed of the draws.
        resamples: How often to draw.

    Raises:
        DataError: The two do not hold the same examples, or they hold none.
    """
    if not first or [row.id for row in first] != [row.id for row in second]:
        raise DataError(
            "a paired comparison needs the same examples from both models",
            "Predict the same split with both, and keep the order.",
        )
    tables = [sum_by_post(rows, count_outcomes(rows)) for rows in (first, second)]
    return compare_outcomes(np.stack(tables, 1)[:, :, None], seed=seed, resamples=resamples)


def compare_outcomes(counts: np.ndarray, *, seed: int, resamples: int, draws_seeds: bool = False) -> Difference:
    """Compare the mean F1 of two models over their seeds.

    Args:
        counts: True positives, false positives and false negatives of each post, (posts, 2, seeds, 3).
        seed: The seed of the draws.
        resamples: How often to draw.
        draws_seeds: Whether a resample draws the seeds, too, and not the posts alone.
    """
    observed = float(_compute_gains(counts.sum(0)).mean())
    drawn = _draw_gains(counts, resamples, np.random.default_rng(seed), draws_seeds)
    low, high = np.percentile(drawn, [2.5, 97.5])
    swapped = _swap_models(counts, resamples, np.random.default_rng(seed))
    p_randomised = _compute_share(np.abs(swapped) >= abs(observed) - 1e-12)
    return Difference(observed, float(low), float(high), compute_p_value(drawn, observed), p_randomised, resamples)


def compute_p_value(drawn: np.ndarray, observed: float) -> float:
    """Return the two-sided p-value of an observed difference, from its values in resamples, (n,).

    It is the share of resamples whose difference is as far from the observed one as the observed one is from zero
    (Efron and Tibshirani 1993, ch. 16; Berg-Kirkpatrick et al. 2012 give the one-sided form), with both counts
    raised by one so that it is never zero.
    """
    return _compute_share(np.abs(drawn - observed) >= abs(observed) - 1e-12)


def _compute_share(is_extreme: np.ndarray) -> float:
    """Return the share of draws that are extreme, both counts raised by one."""
    return (int(is_extreme.sum()) + 1) / (len(is_extreme) + 1)


def resample(
    table: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Return a statistic of the column sums of rows that are drawn with replacement.

    Args:
        table: Counts, shape (examples, columns).
        statistic: From sums, shape (n, columns), to values, shape (n,) or (n, values).
        resamples: How often to draw as many rows as the table has.
        rng: Draws them.

    Returns:
        The values, shape (resamples,) or (resamples, values).
    """
    examples = len(table)
    counts = table.astype(np.float64)  # BLAS multiplies floats alone
    step = max(1, CELLS // examples)
    parts = []
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        weights = rng.multinomial(examples, np.full(examples, 1 / examples), size)  # (size, examples)
        parts.append(statistic(weights.astype(np.float64) @ counts))
    return np.concatenate(parts)


def compute_f1(totals: np.ndarray) -> np.ndarray:
    """Return the micro F1 of true positives, false positives and false negatives, (..., 3); 0 if all are 0."""
    hits, spurious, missed = totals[..., 0], totals[..., 1], totals[..., 2]
    scores: np.ndarray = 2 * hits / np.maximum(2 * hits + spurious + missed, 1)
    return scores


def apply_holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for each other (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min((len(p_values) - rank) * p_values[index], 1.0))
        corrected[index] = highest
    return corrected


def _compute_gains(totals: np.ndarray) -> np.ndarray:
    """Return the first model's F1 less the second's of each seed, (..., seeds), from (..., 2, seeds, 3)."""
    scores = compute_f1(totals)  # (..., 2, seeds)
    gains: np.ndarray = scores[..., 0, :] - scores[..., 1, :]
    return gains


def _draw_gains(counts: np.ndarray, resamples: int, rng: np.random.Generator, draws_seeds: bool) -> np.ndarray:
    """Return the mean gain in each resample of the posts, and of the seeds if asked for, (resamples,)."""
    seeds = counts.shape[2]
    seed_rng = np.random.default_rng(rng.integers(2**32)) if draws_seeds and seeds > 1 else None

    def compute_mean(totals: np.ndarray) -> np.ndarray:
        gains = _compute_gains(totals.reshape(-1, *counts.shape[1:]))  # (n, seeds)
        weights = np.full(gains.shape, 1 / seeds)
        if seed_rng is not None:
            weights = seed_rng.multinomial(seeds, weights[0], len(gains)) / seeds  # (n, seeds)
        means: np.ndarray = (gains * weights).sum(-1)
        return means

    return resample(counts.reshape(len(counts), -1), compute_mean, resamples, rng)


def _swap_models(counts: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return the mean gain after the two models have changed places in a random half of the posts, (draws,)."""
    posts = len(counts)
    flat = counts.reshape(posts, -1).astype(np.float64)
    change = counts[:, ::-1].reshape(posts, -1) - flat
    step, parts = max(1, CELLS // posts), []
    for start in range(0, draws, step):
        swaps = rng.integers(0, 2, (min(step, draws - start), posts)).astype(np.float64)  # (n, posts)
        totals = (flat.sum(0) + swaps @ change).reshape(-1, *counts.shape[1:])
        parts.append(_compute_gains(totals).mean(-1))
    return np.concatenate(parts)
