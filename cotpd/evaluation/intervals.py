"""F1 with a 95 % interval for each model: over all examples, by type, and by slice.

Trade-off: all figures of a model come from the same resamples of the posts, as one matrix product. A slice's size
then varies a little between resamples, as it does between samples of posts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np

from cotpd.data.records import Record
from cotpd.evaluation.results_table import group_predictions
from cotpd.evaluation.scores import DIGITS, count_targets, sum_by_post
from cotpd.evaluation.significance import compute_f1, resample
from cotpd.evaluation.slices import Slices
from cotpd.student.tasks import Prediction

Part = Literal["all", "type", "slice"]


class IntervalRow(Record):
    """F1 of one model on a part of a split, in [0, 1], with its 95 % interval.

    ``part`` is all, or the type or slice of that ``name``; ``support`` counts the gold labels in it.
    """

    split: str
    model: str
    part: Part
    name: str = ""
    support: int
    f1: float
    low: float
    high: float


def compute_intervals(
    predictions: Iterable[Prediction],
    slices: Mapping[str, Slices],
    *,
    seed: int,
    resamples: int = 1000,
) -> Iterator[IntervalRow]:
    """Yield the rows of each model on each split: all, types by name, slices; a part without gold has no row.

    Args:
        predictions: Predictions of any models and splits.
        slices: The slices of each split.
        seed: The seed of the resampling.
        resamples: How often to draw the posts.

    Raises:
        DataError: A prediction names an unknown row or split.
    """
    for split, rows in group_predictions(predictions).items():
        for model, members in rows.items():
            parts = count_parts(members, slices.get(split, {}))
            counts = sum_by_post(members, np.stack([*parts.values()], 1))  # (posts, parts, 3)
            totals = counts.sum(0)  # (parts, 3)
            support = totals[:, 0] + totals[:, 2]
            figures = np.stack([compute_f1(totals), *_draw_bounds(counts, seed, resamples)], 1).round(DIGITS)
            for (part, name), gold, (f1, low, high) in zip(parts, support.tolist(), figures.tolist(), strict=True):
                if gold:
                    yield IntervalRow(
                        split=split, model=model, part=part, name=name, support=gold, f1=f1, low=low, high=high
                    )


def count_parts(predictions: Sequence[Prediction], slices: Slices) -> dict[tuple[Part, str], np.ndarray]:
    """Return true positives, false positives and false negatives of each example in each part, (examples, 3).

    An example outside a slice counts nothing there.
    """
    gold = [prediction.list_counted_gold() for prediction in predictions]
    predicted = [prediction.list_counted_predictions() for prediction in predictions]
    overall = count_targets(gold, predicted)
    parts: dict[tuple[Part, str], np.ndarray] = {("all", ""): overall}
    for label in sorted({target[-1] for target in chain.from_iterable([*gold, *predicted])}):
        parts["type", label] = count_targets(_select_label(gold, label), _select_label(predicted, label))
    for name, ids in slices.items():
        is_member = np.array([[prediction.id in ids] for prediction in predictions])  # (examples, 1)
        parts["slice", name] = overall * is_member
    return parts


def _select_label(sides: Sequence[set[tuple[Any, ...]]], label: str) -> list[set[tuple[Any, ...]]]:
    """Return the targets of one label, which is the last member of a target."""
    return [{*filter(lambda target: target[-1] == label, side)} for side in sides]


def _draw_bounds(counts: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """Return both bounds of each part's F1, (2, parts), from counts by post, (posts, parts, 3)."""

    def compute_each_f1(totals: np.ndarray) -> np.ndarray:
        return compute_f1(totals.reshape(-1, *counts.shape[1:]))  # (n, parts)

    drawn = resample(counts.reshape(len(counts), -1), compute_each_f1, resamples, np.random.default_rng(seed))
    bounds: np.ndarray = np.percentile(drawn, [2.5, 97.5], axis=0)
    return bounds
