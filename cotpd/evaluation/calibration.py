"""Whether a score of 0.9 is right nine times in ten: reliability in bins, and the expected calibration error.

What is judged are the predictions that were made: a missed mention has no score, so recall is not seen here. Ten
bins of equal width, as in Guo et al. (2017, arXiv 1706.04599); with few predictions the error is overstated, since
single bins hold few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cotpd.data.records import Prediction
from cotpd.evaluation.scores import Task, label, spans

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Predictions with a score above ``low`` and up to ``high``: how many, their mean score, the share right."""

    low: float
    high: float
    count: int
    score: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """Of one row on one split. ``error`` is the mean gap between score and share right, weighted by the bins."""

    error: float
    count: int
    score: float
    right: float
    bins: list[Bin]
    """Those that hold something, by rising score."""


def calibration(predictions: Sequence[Prediction], task: Task) -> Calibration | None:
    """Reliability of the scores; None where nothing was predicted, or nothing with a score."""
    judged = [pair for row in predictions for pair in _judged(row, task)]
    if not judged:
        return None
    scores, right = np.array(judged, np.float64).T
    at = np.ceil(scores * BINS).clip(1, BINS).astype(int) - 1
    bins = [_bin(n, scores[at == n], right[at == n]) for n in range(BINS) if (at == n).any()]
    error = sum(one.count * abs(one.score - one.right) for one in bins) / len(scores)
    return Calibration(float(error), len(scores), float(scores.mean()), float(right.mean()), bins)


def reliabilities(rows: Mapping[str, Sequence[Prediction]], task: Task) -> dict[str, Calibration]:
    """That of each row of one split which has any."""
    found = {name: calibration(row, task) for name, row in rows.items()}
    return {name: one for name, one in found.items() if one is not None}


def _bin(number: int, scores: np.ndarray, right: np.ndarray) -> Bin:
    low, high = number / BINS, (number + 1) / BINS
    return Bin(low, high, len(scores), float(scores.mean()), float(right.mean()))


def _judged(row: Prediction, task: Task) -> list[tuple[float, bool]]:
    """Score and rightness of each prediction in a row."""
    if task == "re":
        return [(row.predicted[1], label(row.predicted) == label(row.gold))] if len(row.predicted) > 1 else []
    gold = set(spans(row.gold))
    return [(item[3], spans([item])[0] in gold) for item in row.predicted if len(item) > 3]
