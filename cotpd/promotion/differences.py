"""How much better the challenger is than the champion on the same posts, with an interval: the gate's statistics.

Both ends of an interval hold at the stated confidence, one-sided: at 0.95 it is the middle 90 % of a paired
bootstrap over the posts (percentiles). Posts and not pairs are drawn, since the pairs of a post are no independent
draws. All parts come from the same resamples, as one matrix product.

No correction is made for the number of types and slices. Their rule refuses a fall that is shown to exceed the
bound, so that a correction such as Holm's would make refusing harder, and the more types a data set has, the larger
a fall would pass. Without it a refusal of one that has not fallen further than the bound is as likely as 1 -
confidence where the true fall is exactly the bound, and far less likely where nothing has fallen.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from cotpd.evaluation.reliability import BINS
from cotpd.evaluation.significance import compute_f1, resample
from cotpd.student.tasks import Prediction

Part = tuple[str, str]  # "all", "type" or "slice", and the name of the type or slice


class Difference(NamedTuple):
    """A figure of both models, the challenger's less the champion's, its interval, and its support."""

    challenger: float
    champion: float
    value: float
    low: float
    high: float
    support: int


class Bootstrap(NamedTuple):
    """How the posts are resampled."""

    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 13

    def bound(self, table: np.ndarray, statistic: Any) -> np.ndarray:
        """Return both ends of the interval of a statistic, (2, ...), from counts by post, (posts, columns)."""
        drawn = resample(table, statistic, self.resamples, np.random.default_rng(self.seed))
        levels = [100 * (1 - self.confidence), 100 * self.confidence]
        ends: np.ndarray = np.percentile(drawn, levels, axis=0)
        return ends


def compare_f1(
    challenger: Sequence[Prediction],
    champion: Sequence[Prediction],
    slices: Mapping[str, frozenset[str]],
    bootstrap: Bootstrap,
) -> dict[Part, Difference]:
    """Compare the micro-F1 of two models over all examples, on each type, and on each slice.

    Args:
        challenger, champion: Their predictions on the same examples, in the same order.
        slices: Example ids by the name of the slice.
        bootstrap: How the posts are resampled.

    Returns:
        Differences by part, ("all", "") first; a part's support is its gold labels.
    """
    labels = _list_labels(chain(challenger, champion))
    tables = [_count_by_post(_count_parts(rows, labels, slices), rows) for rows in (challenger, champion)]
    counts = np.stack(tables, 1)  # (posts, models, parts, 3)

    def compute_differences(totals: np.ndarray) -> np.ndarray:
        scores = compute_f1(totals.reshape(-1, *counts.shape[1:]))  # (n, models, parts)
        differences: np.ndarray = scores[:, 0] - scores[:, 1]
        return differences

    low, high = bootstrap.bound(counts.reshape(len(counts), -1), compute_differences)
    totals = counts.sum(0)  # (models, parts, 3)
    first, second = compute_f1(totals)
    support = totals[0, :, 0] + totals[0, :, 2]
    parts = [("all", ""), *(("type", label) for label in labels), *(("slice", name) for name in slices)]
    columns = (first, second, first - second, low, high, support)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {part: Difference(*row) for part, row in zip(parts, rows, strict=True)}


def compare_calibration(
    challenger: Sequence[Prediction], champion: Sequence[Prediction], bootstrap: Bootstrap
) -> Difference | None:
    """Compare the expected calibration error of two models; None if one of them has no scored prediction.

    Its support is the smaller number of scored predictions.
    """
    tables = []
    for rows in (challenger, champion):
        tables.append(_count_by_post(np.stack([_bin_scores(row) for row in rows]), rows))
    counts = np.stack(tables, 1)  # (posts, models, bins, 3)
    sizes = counts[..., 0].sum((0, 2))  # (models,)
    if not sizes.all():
        return None

    def compute_differences(totals: np.ndarray) -> np.ndarray:
        errors = _compute_calibration_error(totals.reshape(-1, *counts.shape[1:]))  # (n, models)
        differences: np.ndarray = errors[:, 0] - errors[:, 1]
        return differences

    low, high = bootstrap.bound(counts.reshape(len(counts), -1), compute_differences)
    first, second = _compute_calibration_error(counts.sum(0)).tolist()
    return Difference(first, second, first - second, float(low), float(high), int(sizes.min()))


def _list_labels(predictions: Any) -> list[str]:
    """Return the types (or relation labels) that gold or predictions hold, sorted."""
    labels: set[str] = set()
    for prediction in predictions:
        targets = prediction.list_counted_gold() | prediction.list_counted_predictions()
        labels |= {target[-1] for target in targets}
    return sorted(labels)


def _count_parts(
    predictions: Sequence[Prediction], labels: Sequence[str], slices: Mapping[str, frozenset[str]]
) -> np.ndarray:
    """Return true positives, false positives and false negatives of each example and part, (examples, parts, 3)."""
    rows = []
    for prediction in predictions:
        gold, predicted = prediction.list_counted_gold(), prediction.list_counted_predictions()
        overall = _count_outcomes(gold, predicted)
        by_label = [_count_outcomes(_select(gold, label), _select(predicted, label)) for label in labels]
        by_slice = [overall if prediction.id in ids else (0, 0, 0) for ids in slices.values()]
        rows.append([overall, *by_label, *by_slice])
    return np.array(rows, np.int64)


def _count_outcomes(gold: set[Any], predicted: set[Any]) -> tuple[int, int, int]:
    return len(gold & predicted), len(predicted - gold), len(gold - predicted)


def _select(targets: set[Any], label: str) -> set[Any]:
    """Return the targets of one label, which is the last member of a target."""
    return {target for target in targets if target[-1] == label}


def _bin_scores(prediction: Prediction) -> np.ndarray:
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


def _count_by_post(counts: np.ndarray, predictions: Sequence[Prediction]) -> np.ndarray:
    """Return the sums of the examples of each post, (posts, ...), from those of each example, (examples, ...)."""
    row_of_post: dict[str, int] = {}
    rows = [row_of_post.setdefault(prediction.post_id, len(row_of_post)) for prediction in predictions]
    sums = np.zeros((len(row_of_post), *counts.shape[1:]))
    np.add.at(sums, rows, counts)
    return sums
