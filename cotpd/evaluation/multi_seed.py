"""Runs that differ in the seed alone, taken together: means, deviations, and whether the gain is luck.

A single run's bootstrap says whether its two models differ, not whether the method does, since another seed moves
both. Here each resample of the posts is scored for every seed and the means over the seeds are
compared, so that the verdict is on the average run. A second interval draws the seeds, too: five of them say
little about seeds that were not run, but an interval without them calls certain what another seed takes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from cotpd.errors import DataError
from cotpd.evaluation.predictions import read_predictions
from cotpd.evaluation.results_table import GAINS, group_predictions
from cotpd.evaluation.scores import count_outcomes, sum_by_post
from cotpd.evaluation.significance import compare_outcomes, compute_f1
from cotpd.student.tasks import ClassPrediction, Prediction, Task, find_task

Run = dict[str, dict[str, list[Prediction]]]  # split -> row -> predictions
TABLE_PATHS = ("predictions.jsonl", "evaluation/predictions.jsonl", "reports/evaluation/predictions.jsonl")


@dataclass(frozen=True)
class Spread:
    """One figure over the seeds."""

    each: list[float]
    shared: bool = False
    """Whether all seeds have the same model, such as teachers that were trained once."""

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return float(np.mean(self.each))

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the seeds (n - 1); None if fewer than two models were trained."""
        return float(np.std(self.each, ddof=1)) if len(self.each) > 1 and not self.shared else None


@dataclass(frozen=True)
class MeanGain:
    """The student's F1 less another row's, over the seeds, with its intervals and p-values."""

    spread: Spread
    """Seed by seed."""
    low: float
    high: float
    """The 95 % interval of the mean gain, over resamples of the posts."""
    p_value: float
    """Two-sided, of the mean gain, as in a single run's metrics."""
    p_randomised: float
    """Two-sided, of approximate randomisation: a cross-check by another way of drawing."""
    over_seeds: tuple[float, float]
    """The 95 % interval over resamples of posts and seeds: what another seed may take back is in it."""


@dataclass(frozen=True)
class Comparison:
    """One split over all seeds, F1 in [0, 1]; None for a figure that needs a row which a run lacks."""

    rows: dict[str, Spread]
    gain: MeanGain | None
    """The student's over the baseline."""
    recovered: float | None
    """The mean gain as a share of the knowledge view's gain; None if that one gains nothing."""
    gains: Mapping[str, MeanGain] = field(default_factory=dict)
    """The student's over each further row, by its key in the metrics: control, and language model alone."""


def name_score(runs: Sequence[Run]) -> str:
    """Return what readers call the leading score of runs; rows of mentions and of pairs name no task."""
    rows = chain.from_iterable(chain.from_iterable(split.values()) for split in runs[0].values())
    first = next(rows)
    return find_task(first.task).score_name if isinstance(first, ClassPrediction) else Task.score_name


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read the predictions of each run.

    Args:
        paths: predictions.jsonl files, or folders that hold one: an evaluation's, a run's or a checkout's.

    Raises:
        DataError: One is missing or empty, two hold the very same predictions, or two were not scored on the same
            annotated examples.
    """
    runs: list[Run] = []
    for path in paths:
        runs.append(group_predictions(read_predictions(_find_table(path))))
        first = runs.index(runs[-1])
        if first < len(runs) - 1:
            raise DataError(
                f"{path} holds the very same predictions as {paths[first]}, and is no run of its own",
                "Name each run once, and copy reports/evaluation only after the evaluate step.",
            )
    for path, run in zip(paths, runs, strict=True):
        if not run:
            raise DataError(f"{path}: there are no predictions in it", "Run the evaluate step again.")
        _require_same_examples(runs[0], run, f"{paths[0]} and {path}")
    return runs


def compare_seeds(runs: Sequence[Run], *, seed: int, resamples: int = 10_000) -> dict[str, Comparison]:
    """Compare student and baseline over the seeds, on each split that every run has.

    The test is the paired bootstrap of a single run over posts: all pairs of a post are drawn together.

    Returns:
        Comparisons by split, in the order of the splits.

    Raises:
        DataError: No split is in all runs.
    """
    splits = _list_shared_keys(runs)
    if not splits:
        raise DataError("the runs have no split in common", "Evaluate the same splits in each.")
    comparisons = {}
    for split in splits:
        comparisons[split] = _compare_split([run[split] for run in runs], seed, resamples)
    return comparisons


def _list_shared_keys(mappings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys that all mappings have, in the order of the first one."""
    shared = set.intersection(*(set(mapping) for mapping in mappings))
    return [key for key in mappings[0] if key in shared]


def _compare_split(runs: Sequence[Mapping[str, list[Prediction]]], seed: int, resamples: int) -> Comparison:
    """Compare one split's rows, given for each seed, and test the student's mean gains."""
    tables, rows = {}, {}
    for name in _list_shared_keys(runs):
        counts = [sum_by_post(run[name], count_outcomes(run[name])) for run in runs]
        tables[name] = np.stack(counts, 1)  # (posts, seeds, 3)
        is_shared = len(runs) > 1 and all(run[name] == runs[0][name] for run in runs)
        rows[name] = Spread(compute_f1(tables[name].sum(0)).tolist(), shared=is_shared)
    gains = {}
    for key, reference in GAINS.items():
        if {reference, "student"} <= rows.keys():
            models = np.stack([tables["student"], tables[reference]], 1)  # (posts, 2, seeds, 3)
            pairs = zip(rows["student"].each, rows[reference].each, strict=True)
            each = [student - score for student, score in pairs]
            gains[key] = _test_mean_gain(models, each, seed, resamples)
    gain = gains.pop("gain", None)
    recovered = _compute_recovered_share(rows, gain.spread) if gain else None
    return Comparison(rows, gain, recovered, gains)


def _test_mean_gain(models: np.ndarray, each: list[float], seed: int, resamples: int) -> MeanGain:
    """Test whether the mean of some gains, one a seed, is luck.

    Args:
        models: Counts of the student and of the row that it is compared with, (posts, 2, seeds, 3).
        each: The gains.
        seed: The seed of the draws.
        resamples: How often to draw.
    """
    over_posts = compare_outcomes(models, seed=seed, resamples=resamples)
    over_both = compare_outcomes(models, seed=seed, resamples=resamples, draws_seeds=True)
    return MeanGain(
        Spread(each),
        over_posts.low,
        over_posts.high,
        over_posts.p_value,
        over_posts.p_randomised,
        (over_both.low, over_both.high),
    )


def _compute_recovered_share(rows: Mapping[str, Spread], gain: Spread) -> float | None:
    """Return the mean gain as a share of the knowledge view's; None if that row is missing or gains nothing."""
    if "knowledge" not in rows:
        return None
    possible = rows["knowledge"].mean - rows["baseline"].mean
    return gain.mean / possible if possible > 0 else None


def _find_table(path: Path) -> Path:
    """Return the predictions table at a path or below it; fail if there is none."""
    for file in (path, *(path / name for name in TABLE_PATHS)):
        if file.is_file():
            return file
    raise DataError(f"{path}: no predictions.jsonl there", "Name the reports/evaluation folder of a run.")


def _require_same_examples(first: Run, second: Run, names: str) -> None:
    """Fail unless every row of both runs holds the same examples in the same order: the comparison is paired."""
    for split in first.keys() & second.keys():
        keys = [list_gold(row) for row in (*first[split].values(), *second[split].values())]
        if any(row_keys != keys[0] for row_keys in keys):
            raise DataError(
                f"{names} do not hold the same {split} examples with the same annotation",
                "Compare runs on one data set that differ in nothing but the seed.",
            )


def list_gold(predictions: Sequence[Prediction]) -> list[tuple[str, Any]]:
    """Return the id and the gold labels of each example, in order."""
    return [(prediction.id, prediction.gold) for prediction in predictions]
