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
from cotpd.evaluation.significance import RESAMPLES, compare_outcomes, compute_f1
from cotpd.student.tasks import Prediction


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
        seed: The seed of the draws.
        resamples: How often to draw.

    Raises:
        DataError: They share no seed, or were not predicted on the same examples.
    """
    seeds = [number for number in first if number in second]
    if not seeds:
        raise DataError("the two cells share no seed", "Run both with the same seeds.")
    require_same_examples([*(first[number] for number in seeds), *(second[number] for number in seeds)])
    counts = np.stack([_stack_counts(first, seeds), _stack_counts(second, seeds)], 1)  # (posts, 2, seeds, 3)
    test = compare_outcomes(counts, seed=seed, resamples=resamples, draws_seeds=True)
    return Tested(test.f1, test.low, test.high, test.p_value, test.p_randomised, len(seeds))


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
