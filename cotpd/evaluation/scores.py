"""Scores of one model on one split, and the counts behind them.

Entity figures are seqeval's, relation figures MNRE's: see the tasks (:mod:`cotpd.student.tasks`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cotpd.student.tasks import Prediction, TaskName, find_task
from cotpd.student.tasks.scores import DIGITS, Scores, TypeScore

__all__ = [
    "DIGITS",
    "LABEL_REPAIR",
    "Scores",
    "TypeScore",
    "count_outcomes",
    "count_targets",
    "score",
    "sum_by_post",
]

LABEL_REPAIR = "conlleval"
"""How illegal tags become mentions, in gold and predictions: an I- that continues no mention of its type opens
one, as in conlleval and in seqeval's default mode. A constrained student makes none; a data set may hold some."""
Target = tuple[Any, ...]  # a gold or predicted label with its position, without a score


def score(predictions: Sequence[Prediction], task: TaskName) -> Scores:
    """Return the scores of one model on one split, in [0, 1].

    Raises:
        DataError: A prediction is of another task, or two spans of one side share a token, which BIO tags cannot
            express.
    """
    return find_task(task).score(predictions)


def count_outcomes(predictions: Sequence[Prediction]) -> np.ndarray:
    """Return true positives, false positives and false negatives of each example: integers, (examples, 3)."""
    gold = [prediction.list_counted_gold() for prediction in predictions]
    predicted = [prediction.list_counted_predictions() for prediction in predictions]
    return count_targets(gold, predicted)


def count_targets(gold: Sequence[set[Target]], predicted: Sequence[set[Target]]) -> np.ndarray:
    """Return true positives, false positives and false negatives of each example's two sides, (examples, 3)."""
    pairs = zip(gold, predicted, strict=True)
    rows = [(len(left & right), len(right - left), len(left - right)) for left, right in pairs]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def sum_by_post(predictions: Sequence[Prediction], counts: np.ndarray) -> np.ndarray:
    """Return the counts of each post, (posts, ...), from those of its examples, (examples, ...).

    A post and not a pair is what the bootstrap draws: the pairs of a post are no independent draws.
    """
    row_of_post: dict[str, int] = {}
    rows = [row_of_post.setdefault(prediction.post_id, len(row_of_post)) for prediction in predictions]
    sums = np.zeros((len(row_of_post), *counts.shape[1:]), counts.dtype)
    np.add.at(sums, rows, counts)
    return sums
