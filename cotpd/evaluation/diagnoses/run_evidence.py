"""The figures of one run by which it is diagnosed, each computed at most once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from cotpd.evaluation.diagnoses.gain_rules import FEW_POSTS, Gain
from cotpd.evaluation.scores import count_outcomes, sum_by_post
from cotpd.evaluation.significance import SEED, compute_f1, resample, run_paired_bootstrap
from cotpd.student.tasks import Prediction

RESAMPLES = 1000


@dataclass(frozen=True)
class SetAside:
    """The number of rows that a step has set aside, the number of all, and the most frequent reason."""

    step: str
    count: int
    total: int
    reason: str


@dataclass(frozen=True)
class RunEvidence:
    """The figures and tables of one run that its diagnoses read."""

    rows: Mapping[str, Mapping[str, Sequence[Prediction]]]
    """Predictions by split and row."""
    histories: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Epochs by model (baseline, control, student, teacher), as the plots read them."""
    set_aside: Sequence[SetAside] = ()
    answered: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Posts with an answer, and all posts, by split."""
    has_generator: bool = True
    """Whether the student reads generated prompt vectors."""
    score_name: str = "F1"
    """What the task calls its leading score."""
    seed: int = SEED
    """Of the resampling."""

    @property
    def last_split(self) -> str:
        """The last split that was scored: test, if the data set has one; "" without any."""
        return list(self.rows)[-1] if self.rows else ""

    def compare(self, first: str, second: str) -> Gain | None:
        """Return the difference of two rows on the last split; None if one of them was not scored."""
        rows = self.rows.get(self.last_split, {})
        if first not in rows or second not in rows:
            return None
        test = run_paired_bootstrap(rows[first], rows[second])  # the figures of the results table
        posts = len({prediction.post_id for prediction in rows[first]})
        return Gain(first, second, self.last_split, test.f1, test.low, test.high, posts, self.score_name)

    def has_few_posts(self, split: str) -> bool:
        """Whether a split has so few posts that no interval of it can be believed."""
        predictions = chain.from_iterable(self.rows.get(split, {}).values())
        return len({prediction.post_id for prediction in predictions}) < FEW_POSTS

    def estimate_half_width(self, split: str, row: str) -> float | None:
        """Return half of the 95 % interval of a row's F1, in [0, 1].

        None if it was not scored, or on so few posts that the interval would be too narrow.
        """
        predictions = self.rows.get(split, {}).get(row)
        if not predictions or self.has_few_posts(split):
            return None
        low, high = self.estimate_interval(predictions, count_outcomes(predictions), compute_f1)
        return (high - low) / 2

    def estimate_interval(
        self,
        predictions: Sequence[Prediction],
        counts: np.ndarray,
        statistic: Callable[[np.ndarray], np.ndarray],
    ) -> tuple[float, float]:
        """Return the 95 % interval of a statistic over resamples of the posts.

        Args:
            predictions: Of one row, which say which examples belong to a post.
            counts: Of each example, (examples, columns).
            statistic: From sums of the columns, (n, columns), to values, (n,).
        """
        table = sum_by_post(predictions, counts)
        drawn = resample(table, statistic, RESAMPLES, np.random.default_rng(self.seed))
        low, high = np.percentile(drawn, [2.5, 97.5]).tolist()
        return low, high
