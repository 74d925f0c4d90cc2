"""Where one row of the results is better than another: scores by bucket, with the paired difference in each.

All buckets and rows of a split share the resamples of its posts, as one matrix product. A bucket with few labels
or posts gets no interval, since a bootstrap of so few draws says less than it seems to. The p-values of a pair of
rows are corrected for its number of buckets (Holm): of thirty buckets one or two differ by luck alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from cotpd.data.records import FEW_SHOT, Post, Record
from cotpd.evaluation.partitions import Partition, Subject
from cotpd.evaluation.results_table import group_predictions
from cotpd.evaluation.scores import Target, sum_by_post
from cotpd.evaluation.significance import apply_holm, compute_f1, compute_p_value, resample
from cotpd.evaluation.slices import MINIMUM_SUPPORT
from cotpd.student.tasks import Prediction

BUCKETS_FILE = "buckets.json"  # in the folder of an evaluation
PAIRS = (("student", "baseline"), ("student", "control"), ("knowledge", "baseline"), (FEW_SHOT, "baseline"))
"""The rows that are compared, the first with the second."""
MINIMUM_POSTS = 20  # with labels in a bucket, below which its interval is left out
DIGITS = 2  # of a percentage
_LEVEL = 0.05
_HIT, _SPURIOUS, _MISSED = range(3)


class BucketRow(Record):
    """The micro F1 of two rows in one bucket of a split, in percent; no interval if the bucket is small.

    ``mentions`` counts the gold labels of the bucket, ``posts`` those that hold one (or that belong there, where
    the post alone decides). ``note`` says why there is no interval.
    """

    split: str
    row: str
    against: str
    by: str
    bucket: str
    posts: int
    mentions: int
    score: float
    score_against: float
    difference: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    """Corrected for all buckets of the same pair of rows and split."""
    note: str = ""

    @property
    def is_certain(self) -> bool:
        """Whether the difference is more than luck, after the correction."""
        return self.p_holm is not None and self.p_holm < _LEVEL


class _Cell(Record):
    """A bucket of a partition, with the gold labels and posts in it."""

    by: str
    bucket: str
    posts: int
    mentions: int

    @property
    def note(self) -> str:
        """Why the bucket is too small for an interval; "" if it is not."""
        if self.mentions < MINIMUM_SUPPORT:
            return f"too few for an interval: fewer than {MINIMUM_SUPPORT} labels"
        return f"too few for an interval: fewer than {MINIMUM_POSTS} posts" if self.posts < MINIMUM_POSTS else ""


def compute_buckets(
    predictions: Iterable[Prediction],
    posts: Mapping[str, Sequence[Post]],
    partitions: Sequence[Partition],
    *,
    seed: int,
    resamples: int = 1000,
) -> Iterator[BucketRow]:
    """Yield each pair of rows in each bucket of each split; a bucket without a label has no row.

    Args:
        predictions: Predictions of any rows and splits.
        posts: The annotated posts of each split.
        partitions: How labels are divided.
        seed: The seed of the resampling.
        resamples: How often to draw the posts.

    Raises:
        DataError: A prediction names an unknown row or split.
    """
    compared = set(chain.from_iterable(PAIRS))
    for split, rows in group_predictions(predictions).items():
        by_id = {post.id: post for post in posts.get(split, ())}
        names = [name for name in rows if name in compared]
        if names:
            parts = [_count_partitions(rows[name], by_id, partitions) for name in names]
            tables = [sum_by_post(rows[name], part) for name, part in zip(names, parts, strict=True)]
            cells = list(_describe_cells(rows[names[0]], by_id, partitions))
            yield from _compare_rows(split, names, np.stack(tables, 1), cells, seed, resamples)


def select_certain(rows: Iterable[BucketRow]) -> list[BucketRow]:
    """Return the rows whose difference is more than luck, the largest first."""
    return sorted((row for row in rows if row.is_certain), key=lambda row: -abs(row.difference))


def _count_partitions(
    predictions: Sequence[Prediction], posts: Mapping[str, Post], partitions: Sequence[Partition]
) -> np.ndarray:
    """Return true positives, false positives and false negatives, (examples, buckets of all partitions, 3)."""
    pairs = [(prediction, posts[prediction.post_id]) for prediction in predictions]
    gold_subjects = [_find_subjects(*pair, pair[0].list_counted_gold()) for pair in pairs]
    predicted_subjects = [_find_subjects(*pair, pair[0].list_counted_predictions()) for pair in pairs]
    sides = list(zip(gold_subjects, predicted_subjects, strict=True))
    return np.concatenate([_count_partition(partition, sides) for partition in partitions], 1)


def _count_partition(
    partition: Partition, sides: Sequence[tuple[Mapping[Target, Subject], Mapping[Target, Subject]]]
) -> np.ndarray:
    """Return true positives, false positives and false negatives in each bucket, (examples, buckets, 3).

    Args:
        partition: How labels are divided.
        sides: What the gold and the predicted labels of each example are about.
    """
    columns = {bucket: column for column, bucket in enumerate(partition.buckets)}
    counts = np.zeros((len(sides), len(columns), 3), np.int64)
    for example, (gold, predicted) in enumerate(sides):
        for target, subject in gold.items():
            outcome = _HIT if target in predicted else _MISSED
            counts[example, columns[partition.find_bucket(subject)], outcome] += 1
        for target, subject in predicted.items():
            if target not in gold:
                counts[example, columns[partition.find_bucket(subject)], _SPURIOUS] += 1
    return counts


def _find_subjects(prediction: Prediction, post: Post, targets: Iterable[Target]) -> dict[Target, Subject]:
    """Return what each label is about: of a whole example, all that is marked in it; else its own tokens."""
    marking = prediction.mark_gold(post)
    marked = [(start, end) for start, end, _ in marking.marks]
    subjects = {}
    for target in targets:
        spans = marked if marking.label else [(target[0], target[1])]
        subjects[target] = Subject.build(post, target[-1], spans)
    return subjects


def _describe_cells(
    predictions: Sequence[Prediction], posts: Mapping[str, Post], partitions: Sequence[Partition]
) -> Iterator[_Cell]:
    """Yield the buckets of all partitions in order, with their posts and gold labels."""
    subjects = []
    for prediction in predictions:
        gold = prediction.list_counted_gold()
        subjects.append(_find_subjects(prediction, posts[prediction.post_id], gold))
    for partition in partitions:
        labels: dict[str, int] = dict.fromkeys(partition.buckets, 0)
        members: dict[str, set[str]] = {bucket: set() for bucket in partition.buckets}
        for prediction, targets in zip(predictions, subjects, strict=True):
            if partition.is_of_post:
                members[partition.find_bucket(Subject(posts[prediction.post_id]))].add(prediction.post_id)
            for bucket in map(partition.find_bucket, targets.values()):
                labels[bucket] += 1
                members[bucket].add(prediction.post_id)
        for bucket in partition.buckets:
            yield _Cell(by=partition.by, bucket=bucket, posts=len(members[bucket]), mentions=labels[bucket])


def _compare_rows(
    split: str, names: Sequence[str], counts: np.ndarray, cells: Sequence[_Cell], seed: int, resamples: int
) -> Iterator[BucketRow]:
    """Yield the differences of one split's pairs; ``counts`` are (posts, rows, buckets, 3)."""
    totals = counts.sum(0)
    scores = compute_f1(totals)  # (rows, buckets)

    def compute_scores(sums: np.ndarray) -> np.ndarray:
        return compute_f1(sums.reshape(-1, *counts.shape[1:]))  # (n, rows, buckets)

    drawn = resample(counts.reshape(len(counts), -1), compute_scores, resamples, np.random.default_rng(seed))
    for row, against in PAIRS:
        if row in names and against in names:
            first, second = names.index(row), names.index(against)
            is_used = totals[[first, second]].any((0, 2))  # (buckets,)
            rows = []
            for index in np.flatnonzero(is_used).tolist():
                gaps = drawn[:, first, index] - drawn[:, second, index]
                pair = (scores[first, index], scores[second, index])
                figures = _describe_difference(pair, gaps, cells[index])
                rows.append(BucketRow(split=split, row=row, against=against, **figures))
            yield from _complete_p_values(rows)


def _describe_difference(pair: tuple[float, float], gaps: np.ndarray, cell: _Cell) -> dict[str, Any]:
    """Return the figures of one bucket, in percent, from both rows' F1 and the gaps in resamples, (n,)."""
    first, second = pair
    figures: dict[str, Any] = {"score": first, "score_against": second, "difference": first - second}
    if not cell.note:
        figures["low"], figures["high"] = np.percentile(gaps, [2.5, 97.5]).tolist()
    percentages = {name: round(100 * float(value), DIGITS) for name, value in figures.items()}
    p_value = None if cell.note else round(compute_p_value(gaps, first - second), 6)
    return cell.model_dump() | percentages | {"p_value": p_value, "note": cell.note}


def _complete_p_values(rows: Sequence[BucketRow]) -> Iterator[BucketRow]:
    """Yield the rows of a pair with their p-values corrected for each other."""
    corrected = iter(apply_holm([row.p_value for row in rows if row.p_value is not None]))
    for row in rows:
        yield row if row.p_value is None else row.model_copy(update={"p_holm": round(next(corrected), 6)})
