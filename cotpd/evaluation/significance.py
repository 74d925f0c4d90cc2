"""Is the difference between two models more than luck? A paired bootstrap over examples.

F1 is not a mean over examples, so a t-test does not apply; the bootstrap only needs examples that are independent.
Resampling works on per-example counts, as one matrix product, so that 1000 resamples cost less than a second even
for thousands of posts.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cotpd.errors import DataError
from cotpd.evaluation.scores import DIGITS, count_outcomes
from cotpd.student.tasks import Prediction

CELLS = 4_000_000  # of the weight matrix in memory at a time: 32 MB


@dataclass(frozen=True)
class Difference:
    """How much better the first model's micro-F1 is, its 95 % interval and two-sided p-value."""

    f1: float
    low: float
    high: float
    p_value: float
    resamples: int

    def as_dict(self) -> dict[str, float]:
        """Return plain rounded numbers, as scores.json holds them."""
        return {key: round(value, DIGITS) for key, value in asdict(self).items()}


def run_paired_bootstrap(
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    *,
    seed: int,
    resamples: int = 1000,
) -> Difference:
    """Compare two models on the same examples, in the same order.

    The interval is the bootstrap's percentiles, the p-value that of :func:`compute_p_value`.

    Args:
        first, second: The models' predictions.
        seed: Of the resampling.
        resamples: How often to resample the examples.

    Raises:
        DataError: The two do not hold the same examples, or they hold none.
    """
    if not first or [row.id for row in first] != [row.id for row in second]:
        raise DataError(
            "a paired comparison needs the same examples from both models",
            "Predict the same split with both, and keep the order.",
        )
    table = np.hstack([count_outcomes(first), count_outcomes(second)])  # (examples, 6)
    observed = float(_compute_difference(table.sum(axis=0)))
    drawn = resample(table, _compute_difference, resamples, np.random.default_rng(seed))  # (resamples,)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Difference(observed, float(low), float(high), compute_p_value(drawn, observed), resamples)


def compute_p_value(drawn: np.ndarray, observed: float) -> float:
    """Return the two-sided p-value of an observed difference, from its values in resamples, (n,).

    It is the share of resamples whose difference is as far from the observed one as the observed one is from zero
    (Efron and Tibshirani 1993, ch. 16; Berg-Kirkpatrick et al. 2012 give the one-sided form), with both counts
    raised by one so that it is never zero.
    """
    extreme = int(np.sum(np.abs(drawn - observed) >= abs(observed) - 1e-12))
    return (extreme + 1) / (len(drawn) + 1)


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


def _compute_difference(totals: np.ndarray) -> np.ndarray:
    """Return the F1 of the first model less that of the second, from their counts, (..., 6)."""
    difference: np.ndarray = compute_f1(totals[..., :3]) - compute_f1(totals[..., 3:])
    return difference
