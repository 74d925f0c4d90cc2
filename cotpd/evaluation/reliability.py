"""Whether predictions scored 0.9 are right nine times in ten: reliability in bins, expected calibration error.

Only predictions that were made have a score: a missed mention has none, so recall is not measured here. Ten bins
of equal width, as in Guo et al. (2017, arXiv 1706.04599); with few predictions the error is overstated, since
single bins hold few.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from cotpd.student.tasks import Prediction

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
    """The calibration of one model on one split.

    ``error`` is the mean gap between score and share right over the bins, weighted by their predictions.
    """

    error: float
    count: int
    score: float
    right: float
    bins: list[Bin]
    """Those that hold a prediction, by rising score."""


def compute_calibration(predictions: Sequence[Prediction]) -> Calibration | None:
    """Return the calibration of a model's scores; None if no prediction has a score."""
    judged = list(chain.from_iterable(prediction.list_judged_scores() for prediction in predictions))
    if not judged:
        return None
    scores, right = np.array(judged, np.float64).T
    bin_of = np.ceil(scores * BINS).clip(1, BINS).astype(int) - 1
    bins = [
        _make_bin(number, scores[bin_of == number], right[bin_of == number])
        for number in range(BINS)
        if (bin_of == number).any()
    ]
    error = sum(part.count * abs(part.score - part.right) for part in bins) / len(scores)
    return Calibration(float(error), len(scores), float(scores.mean()), float(right.mean()), bins)


def compute_calibrations(rows: Mapping[str, Sequence[Prediction]]) -> dict[str, Calibration]:
    """Return the calibration of each model on one split; models without scored predictions are left out."""
    calibrations = {name: compute_calibration(predictions) for name, predictions in rows.items()}
    return {name: calibration for name, calibration in calibrations.items() if calibration is not None}


def _make_bin(number: int, scores: np.ndarray, right: np.ndarray) -> Bin:
    """Return a bin, counted from 0, of its predictions' scores (n,) and whether each is right (n,); n is not 0."""
    low, high = number / BINS, (number + 1) / BINS
    return Bin(low, high, len(scores), float(scores.mean()), float(right.mean()))
