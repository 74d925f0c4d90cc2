"""Is the difference between two cells more than luck? Over posts and seeds, and corrected for the study's tests.

Trade-off: with a handful of seeds, drawing them again says little about seeds that were not run, but leaving it
out would call a difference certain that another seed takes back. So each resample draws posts and seeds; with one
seed it draws posts alone, and the result says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cotpd.errors import DataError
from cotpd.evaluation.multi_seed import list_gold
from cotpd.evaluation.scores import count_outcomes, sum_by_post
from cotpd.evaluation.significance import compute_f1, compute_p_value, resample
from cotpd.student.tasks import Prediction

RESAMPLES = 10_000
_CELLS = 4_000_000  # of the matrix of swaps in memory at a time: 32 MB


@dataclass(frozen=True)
class Tested:
    """One difference of F1, in [0, 1], its 95 % interval, and the p-values of two tests."""

    gain: float
    low: float
    high: float
    p_value: float
    """Two-sided, from the same resamples as the interval."""
    p_randomised: float
    """Two-sided, of approximate randomisation: a cross-check by another way of drawing."""
    seeds: int


Table = Mapping[int, Sequence[Prediction]]
"""The predictions of one cell, by seed."""


def compute_cell_f1(predictions: Sequence[Prediction]) -> float:
    """Return the micro F1 of one cell and seed, in [0, 1]."""
    return float(compute_f1(count_outcomes(predictions).sum(axis=0)))


def compare_cells(first: Table, second: Table, *, seed: int, resamples: int = RESAMPLES) -> Tested:
    """Test whether the mean F1 of one cell is another than that of a second, over the seeds that both have.

    Args:
        first, second: Predictions by seed, all on the same examples.
        seed: Of the draws.
        resamples: How often to draw.

    Raises:
        DataError: They share no seed, or were not predicted on the same examples.
    """
    seeds = [number for number in first if number in second]
    if not seeds:
        raise DataError("the two cells share no seed", "Run both with the same seeds.")
    require_same_examples([*(first[number] for number in seeds), *(second[number] for number in seeds)])
    counts = np.stack([_stack_counts(first, seeds), _stack_counts(second, seeds)], 1)  # (posts, 2, seeds, 3)
    observed = float(_compute_gains(counts.sum(0)).mean())

    drawn = _draw_bootstrap(counts, resamples, np.random.default_rng(seed))
    low, high = np.percentile(drawn, [2.5, 97.5])
    swapped = _swap_cells(counts, resamples, np.random.default_rng(seed))
    extreme = int(np.sum(np.abs(swapped) >= abs(observed) - 1e-12))
    p_randomised = (extreme + 1) / (resamples + 1)
    return Tested(observed, float(low), float(high), compute_p_value(drawn, observed), p_randomised, len(seeds))


def require_same_examples(tables: Sequence[Sequence[Prediction]]) -> None:
    """Fail unless all tables hold the same examples with the same annotation, in the same order.

    Raises:
        DataError: They do not.
    """
    keys = [list_gold(table) for table in tables]
    if any(key != keys[0] for key in keys):
        raise DataError(
            "two cells were not tested on the same examples with the same annotation",
            "Compare cells that share a test set, and run the study again if the tables have changed.",
        )


def _stack_counts(table: Table, seeds: Sequence[int]) -> np.ndarray:
    """Return the counts of each post and seed, (posts, seeds, 3)."""
    return np.stack([_count_by_post(table[number]) for number in seeds], 1)


def _count_by_post(predictions: Sequence[Prediction]) -> np.ndarray:
    return sum_by_post(predictions, count_outcomes(predictions))


def _compute_gains(totals: np.ndarray) -> np.ndarray:
    """Return the first cell's F1 less the second's of each seed, (..., seeds), from (..., 2, seeds, 3)."""
    scores = compute_f1(totals)  # (..., 2, seeds)
    gains: np.ndarray = scores[..., 0, :] - scores[..., 1, :]
    return gains


def _draw_bootstrap(counts: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return the mean gain in each resample of posts and seeds, (resamples,)."""
    seeds = counts.shape[2]
    drawn_seeds = np.random.default_rng(rng.integers(2**32))

    def compute_mean(totals: np.ndarray) -> np.ndarray:
        gains = _compute_gains(totals.reshape(-1, *counts.shape[1:]))  # (n, seeds)
        weights = drawn_seeds.multinomial(seeds, np.full(seeds, 1 / seeds), len(gains)) / seeds  # (n, seeds)
        means: np.ndarray = (gains * weights).sum(-1)
        return means

    return resample(counts.reshape(len(counts), -1), compute_mean, resamples, rng)


def _swap_cells(counts: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return the mean gain after the two cells have changed places in a random half of the posts, (draws,)."""
    posts = len(counts)
    flat = counts.reshape(posts, -1).astype(np.float64)
    change = counts[:, ::-1].reshape(posts, -1) - flat
    step, parts = max(1, _CELLS // posts), []
    for start in range(0, draws, step):
        swaps = rng.integers(0, 2, (min(step, draws - start), posts)).astype(np.float64)  # (n, posts)
        totals = (flat.sum(0) + swaps @ change).reshape(-1, *counts.shape[1:])
        parts.append(_compute_gains(totals).mean(-1))
    return np.concatenate(parts)


def apply_holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for each other (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min((len(p_values) - rank) * p_values[index], 1.0))
        corrected[index] = highest
    return corrected
