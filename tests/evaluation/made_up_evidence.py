"""Runs that were never trained: rows of predictions that are right and wrong where a test wants them."""

import numpy as np

from cotpd.evaluation.diagnoses import RunEvidence, diagnose_run
from cotpd.student.tasks import RePrediction

POSTS = 1000


def build_rows(right, split="test", score=-1.0):
    """Build relation predictions of one row: right or wrong, each with the same score."""
    return [
        RePrediction(
            id=f"{number}#0", split=split, model="m", gold=["a"], predicted=["a" if is_right else "b", score]
        )
        for number, is_right in enumerate(right)
    ]


def spoil(*wrong):
    """Return the rightness of 1,000 posts, wrong in some ranges."""
    right = np.ones(POSTS, bool)
    for start, end in wrong:
        right[start:end] = False
    return right


def build_run(rows, **fields):
    predictions = {name: build_rows(right) for name, right in rows.items()}
    return RunEvidence(rows={"test": predictions}, **fields)


def list_codes(run):
    return [diagnosis.code for diagnosis in diagnose_run(run)]
