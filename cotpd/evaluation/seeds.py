"""Runs that differ in nothing but the seed, taken together: means, deviations, and whether the gain is luck.

A single run's bootstrap says whether its two models differ; it does not say whether the method does, since
another seed moves both. Here each resample of the posts is scored for every seed and the means over the seeds are
compared, so that the verdict is on the average run. Seeds are not resampled: with five of them that would say
little, and their deviation is printed instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cotpd.data.records import Prediction
from cotpd.data.tables import read_table
from cotpd.errors import DataError
from cotpd.evaluation.cases import post_of
from cotpd.evaluation.compare import grouped
from cotpd.evaluation.scores import Task, counts
from cotpd.evaluation.significance import f1, resampled, two_sided

Run = dict[str, dict[str, list[Prediction]]]  # split -> row -> predictions
PLACES = ("predictions.jsonl", "evaluation/predictions.jsonl", "reports/evaluation/predictions.jsonl")


@dataclass(frozen=True)
class Spread:
    """One figure over the seeds; ``deviation`` is the sample's (n - 1), None where there are no two models."""

    each: list[float]
    shared: bool = False
    """Whether all seeds have the one model, as they do teachers that were trained once."""

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return float(np.mean(self.each))

    @property
    def deviation(self) -> float | None:
        """Of the seeds around their mean."""
        return float(np.std(self.each, ddof=1)) if len(self.each) > 1 and not self.shared else None


@dataclass(frozen=True)
class Comparison:
    """One split over all seeds. F1 in [0, 1]; what needs a row that some run lacks is None."""

    rows: dict[str, Spread]
    gain: Spread | None
    """Student less baseline, seed by seed."""
    low: float | None
    high: float | None
    """The 95 % interval of the mean gain, over resamples of the posts."""
    p_value: float | None
    """Two-sided, of the mean gain, as in a single run's metrics."""
    recovered: float | None
    """The mean gain over what the knowledge view gains over the baseline; None where that is nothing."""


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The predictions of each run.

    Args:
        paths: predictions.jsonl files, or folders that hold one: an evaluation's, a run's or a checkout's.

    Raises:
        DataError: One is missing or empty, two hold the very same predictions, or two were not scored on the same
            annotated examples.
    """
    runs: list[Run] = []
    for path in paths:
        runs.append(grouped(read_table(_file(path), Prediction)))
        if (first := runs.index(runs[-1])) < len(runs) - 1:
            raise DataError(
                f"{path} holds the very same predictions as {paths[first]}, and is no run of its own",
                "Name each run once, and copy reports/evaluation only after the evaluate step.",
            )
    for path, run in zip(paths, runs, strict=True):
        if not run:
            raise DataError(f"{path}: there are no predictions in it", "Run the evaluate step again.")
        _same_examples(runs[0], run, f"{paths[0]} and {path}")
    return runs


def task_of(runs: Sequence[Run]) -> Task:
    """re where the annotation is a label, ner where it is a list of spans."""
    sides = (row.gold for run in runs for rows in run.values() for some in rows.values() for row in some)
    return "re" if any(side and isinstance(side[0], str) for side in sides) else "ner"


def compare_seeds(runs: Sequence[Run], *, seed: int, resamples: int = 10_000) -> dict[str, Comparison]:
    """Compare student and baseline over the seeds, on each split that every run has.

    The test is the paired bootstrap of a single run over posts: all pairs of a post are drawn together.

    Returns:
        Comparisons by split, in the order of the splits.

    Raises:
        DataError: No split is in all runs.
    """
    task = task_of(runs)
    splits = [split for split in runs[0] if all(split in run for run in runs)]
    if not splits:
        raise DataError("the runs have no split in common", "Evaluate the same splits in each.")
    return {split: _compare([run[split] for run in runs], task, seed, resamples) for split in splits}


def _compare(runs: Sequence[Mapping[str, list[Prediction]]], task: Task, seed: int, resamples: int) -> Comparison:
    names = [name for name in runs[0] if all(name in run for run in runs)]
    tables = {name: np.stack([_by_post(run[name], task) for run in runs], 1) for name in names}
    rows = {  # table: (posts, seeds, 3)
        name: Spread(
            f1(table.sum(0)).tolist(), shared=len(runs) > 1 and all(run[name] == runs[0][name] for run in runs)
        )
        for name, table in tables.items()
    }
    if not {"baseline", "student"} <= rows.keys():
        return Comparison(rows, None, None, None, None, None)
    both = np.stack([tables["student"], tables["baseline"]], 1)  # (posts, 2, seeds, 3)
    drawn = _gains(both, resamples, np.random.default_rng(seed))
    low, high = np.percentile(drawn, [2.5, 97.5])
    pairs = zip(rows["student"].each, rows["baseline"].each, strict=True)
    gain = Spread([ours - theirs for ours, theirs in pairs])
    p_value = two_sided(drawn, gain.mean)
    return Comparison(rows, gain, float(low), float(high), p_value, _recovered(rows, gain))


def _gains(both: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    def gain(totals: np.ndarray) -> np.ndarray:
        means = f1(totals.reshape(-1, *both.shape[1:])).mean(-1)  # (n, 2)
        return means[:, 0] - means[:, 1]

    return resampled(both.reshape(len(both), -1), gain, resamples, rng)


def _recovered(rows: Mapping[str, Spread], gain: Spread) -> float | None:
    there = rows["knowledge"].mean - rows["baseline"].mean if "knowledge" in rows else 0.0
    return gain.mean / there if there > 0 else None


def _by_post(predictions: Sequence[Prediction], task: Task) -> np.ndarray:
    """Counts of each post, shape (posts, 3): the pairs of a post are no independent draws."""
    places: dict[str, int] = {}
    at = [places.setdefault(post_of(row.id, task), len(places)) for row in predictions]
    found = np.zeros((len(places), 3), np.int64)
    np.add.at(found, at, counts(predictions, task))
    return found


def _file(path: Path) -> Path:
    files = [path, *(path / place for place in PLACES)]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        raise DataError(f"{path}: no predictions.jsonl there", "Name the reports/evaluation folder of a run.")
    return found


def _same_examples(first: Run, other: Run, which: str) -> None:
    """Every row of every run must speak of the same examples in the same order: the comparison is paired."""
    for split in first.keys() & other.keys():
        keys = [[(row.id, row.gold) for row in some] for run in (first, other) for some in run[split].values()]
        if any(one != keys[0] for one in keys):
            raise DataError(
                f"{which} do not hold the same {split} examples with the same annotation",
                "Compare runs on one data set that differ in nothing but the seed.",
            )
