"""Scores of one model on one split, and the counts behind them.

Entity figures are seqeval's, relation figures MNRE's: see the tasks (:mod:`cotpd.student.tasks`).
"""

from collections.abc import Sequence

import numpy as np

from cotpd.student.tasks import Prediction, TaskName, find_task
from cotpd.student.tasks.scores import DIGITS, Scores, TypeScore

__all__ = ["DIGITS", "Scores", "TypeScore", "count_outcomes", "score"]


def score(predictions: Sequence[Prediction], task: TaskName) -> Scores:
    """Return the scores of one model on one split, in [0, 1].

    Raises:
        DataError: A prediction is of another task, or two spans of one side share a token, which BIO tags cannot
            express.
    """
    return find_task(task).score(predictions)


def count_outcomes(predictions: Sequence[Prediction]) -> np.ndarray:
    """Return true positives, false positives and false negatives of each example: integers, (examples, 3)."""
    rows = []
    for prediction in predictions:
        gold, predicted = prediction.list_counted_gold(), prediction.list_counted_predictions()
        rows.append((len(gold & predicted), len(predicted - gold), len(gold - predicted)))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)
