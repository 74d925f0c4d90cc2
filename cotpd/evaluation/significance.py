"""Is the difference between two models more than luck? A paired bootstrap over examples.

F1 is not a mean over examples, so a t-test does not apply; the bootstrap asks for nothing but that examples are
independent. Resampling works on per-example counts, as one matrix product, so that 1000 resamples cost less than a
second even for thousands of posts.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from cotpd.data.records import Prediction
from cotpd.errors import DataError
from cotpd.evaluation.scores import DIGITS, Task, counts

CELLS = 4_000_000  # of the weight matrix held at a time: 32 MB


@dataclass(frozen=True)
class Difference:
    """How much better the first model's micro-F1 is, its 95 % interval and two-sided p-value."""

    f1: float
    low: float
    high: float
    p_value: float
    resamples: int

    def as_dict(self) -> dict[str, float]:
        """Plain rounded numbers, as scores.json holds them."""
        return {key: round(value, DIGITS) for key, value in asdict(self).items()}


def paired_bootstrap(
    ours: Sequence[Prediction],
    theirs: Sequence[Prediction],
    task: Task,
    *,
    seed: int,
    resamples: int = 1000,
) -> Difference:
    """Compare two models on the same examples, in the same order.

    The interval is the bootstrap's percentiles, the p-value that of :func:`two_sided`.

    Raises:
        DataError: The two do not hold the same examples, or none.
    """
    if not ours or [row.id for row in ours] != [row.id for row in theirs]:
        raise DataError(
            "a paired comparison needs the same examples from both models",
            "Predict the same split with both, and keep the order.",
        )
    table = np.hstack([counts(ours, task), counts(theirs, task)])  # (examples, 6)
    observed = float(_difference(table.sum(axis=0)))
    drawn = resampled(table, _difference, resamples, np.random.default_rng(seed))  # (resamples,)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Difference(observed, float(low), float(high), two_sided(drawn, observed), resamples)


def two_sided(drawn: np.ndarray, observed: float) -> float:
    """The two-sided p-value of a difference, from what it is in resamples, shape (n,).

    It is the share of resamples whose difference strays from the observed one by as much as the observed one
    strays from zero (Efron and Tibshirani 1993, ch. 16; Berg-Kirkpatrick et al. 2012 give the one-sided form),
    both counts raised by one so that it is never zero.
    """
    extreme = int(np.sum(np.abs(drawn - observed) >= abs(observed) - 1e-12))
    return (extreme + 1) / (len(drawn) + 1)


def resampled(
    table: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """A statistic of the column sums of rows that are drawn with replacement.

    Args:
        table: Counts, shape (examples, columns).
        statistic: From sums, shape (n, columns), to values, shape (n,).
        resamples: How often to draw as many rows as the table has.
        rng: What they are drawn with.

    Returns:
        The values, shape (resamples,).
    """
    examples, table = len(table), table.astype(np.float64)  # whole numbers all the same, and BLAS multiplies them
    step = max(1, CELLS // examples)
    parts = []
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        weights = rng.multinomial(examples, np.full(examples, 1 / examples), size)  # (size, examples)
        parts.append(statistic(weights.astype(np.float64) @ table))
    return np.concatenate(parts)


def f1(totals: np.ndarray) -> np.ndarray:
    """Micro-F1 of true positives, false positives and false negatives, the last axis; 0 where there is nothing."""
    hits, spurious, missed = totals[..., 0], totals[..., 1], totals[..., 2]
    return 2 * hits / np.maximum(2 * hits + spurious + missed, 1)


def _difference(totals: np.ndarray) -> np.ndarray:
    return f1(totals[..., :3]) - f1(totals[..., 3:])
