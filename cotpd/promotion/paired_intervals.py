"""The gate's statistics: the challenger's figures less the champion's on the same posts, with intervals.

Both ends of an interval hold at the stated confidence, one-sided: at 0.95 it is the middle 90 % of a paired
bootstrap over the posts (percentiles). Posts and not pairs are drawn, since the pairs of a post are no independent
draws. All parts come from the same resamples, as one matrix product.

No correction is made for the number of types and slices. Their rule refuses a fall that is shown to exceed the
bound. A correction such as Holm's would make refusing harder, and the more types a data set has, the larger a fall
would pass. Without it, a part is refused wrongly with a probability of 1 - confidence where its true fall is
exactly the bound, and far more rarely where nothing has fallen.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cotpd.evaluation.intervals import Part, count_parts
from cotpd.evaluation.reliability import BINS
from cotpd.evaluation.scores import sum_by_post
from cotpd.evaluation.significance import compute_f1, resample
from cotpd.evaluation.slices import Slices
from cotpd.student.tasks import Prediction

PartName = tuple[Part, str]  # and the name of the type or slice


class Difference(NamedTuple):
    """A figure of both models, the challenger's less the champion's, its interval, and its support."""

    challenger: float
    champion: float
    value: float
    low: float
    high: float
    support: int


class Bootstrap(NamedTuple):
    """The settings by which the posts are resampled."""

    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 13

    def compute_bounds(self, table: np.ndarray, statistic: Any) -> np.ndarray:
        """Return both ends of the interval of a statistic, (2, ...), from counts by post, (posts, columns)."""
        drawn = resample(table, statistic, self.resamples, np.random.default_rng(self.seed))
        levels = [100 * (1 - self.confidence), 100 * self.confidence]
        ends: np.ndarray = np.percentile(drawn, levels, axis=0)
        return ends


def compare_f1(
    challenger: Sequence[Prediction],
    champion: Sequence[Prediction],
    slices: Slices,
    bootstrap: Bootstrap,
) -> dict[PartName, Difference]:
    """Compare the micro-F1 of two models over all examples, on each type, and on each slice.

    Args:
        challenger, champion: Their predictions on the same examples, in the same order.
        slices: Example ids by the name of the slice.
        bootstrap: How the posts are resampled.

    Returns:
        Differences by part, ("all", "") first; a part's support is its gold labels.
    """
    first_counts, second_counts = count_parts(challenger, slices), count_parts(champion, slices)
    parts = list(first_counts | second_counts)
    # (posts, 3): the counts of a type that one model alone predicts, and no gold holds
    nothing = np.zeros((len(challenger), 3), np.int64)
    tables = []
    for counts_of_part in (first_counts, second_counts):
        columns = [counts_of_part.get(part, nothing) for part in parts]
        tables.append(sum_by_post(challenger, np.stack(columns, 1)))
    counts = np.stack(tables, 1)  # (posts, models, parts, 3)

    low, high = compute_f1_bounds(counts, bootstrap)
    totals = counts.sum(0)  # (models, parts, 3)
    first, second = compute_f1(totals)
    support = totals[0, :, 0] + totals[0, :, 2]
    figures = (first, second, first - second, low, high, support)
    rows = zip(*(figure.tolist() for figure in figures), strict=True)
    return {part: Difference(*row) for part, row in zip(parts, rows, strict=True)}


def compute_f1_bounds(counts: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Return both ends of each part's interval, (2, parts), from counts by post, (posts, models, parts, 3)."""

    def compute_differences(totals: np.ndarray) -> np.ndarray:
        scores = compute_f1(totals.reshape(-1, *counts.shape[1:]))  # (n, models, parts)
        differences: np.ndarray = scores[:, 0] - scores[:, 1]
        return differences

    return bootstrap.compute_bounds(counts.reshape(len(counts), -1), compute_differences)


def compare_calibration(
    challenger: Sequence[Prediction], champion: Sequence[Prediction], bootstrap: Bootstrap
) -> Difference | None:
    """Compare the expected calibration error of two models; None if one of them has no scored prediction.

    Its support is the smaller number of scored predictions.
    """
    bins = [np.stack(list(map(_sum_by_bin, rows))) for rows in (challenger, champion)]
    counts = np.stack([sum_by_post(challenger, rows) for rows in bins], 1)  # (posts, models, bins, 3)
    sizes = counts[..., 0].sum((0, 2))  # (models,)
    if not sizes.all():
        return None

    def compute_differences(totals: np.ndarray) -> np.ndarray:
        errors = _compute_calibration_error(totals.reshape(-1, *counts.shape[1:]))  # (n, models)
        differences: np.ndarray = errors[:, 0] - errors[:, 1]
        return differences

    low, high = bootstrap.compute_bounds(counts.reshape(len(counts), -1), compute_differences)
    first, second = _compute_calibration_error(counts.sum(0)).tolist()
    return Difference(first, second, first - second, float(low), float(high), int(sizes.min()))


def _sum_by_bin(prediction: Prediction) -> np.ndarray:
    """Return count, sum of the scores and number of right ones of each bin, (bins, 3)."""
    sums = np.zeros((BINS, 3))
    for score, is_right in prediction.list_judged_scores():
        index = int(np.ceil(score * BINS).clip(1, BINS)) - 1  # as cotpd.evaluation.reliability bins them
        sums[index] += (1, score, is_right)
    return sums


def _compute_calibration_error(sums: np.ndarray) -> np.ndarray:
    """Return the mean gap of score and share right, weighted by predictions, from bins, (..., bins, 3)."""
    gaps = np.abs(sums[..., 1] - sums[..., 2]).sum(-1)
    errors: np.ndarray = gaps / np.maximum(sums[..., 0].sum(-1), 1)
    return errors
