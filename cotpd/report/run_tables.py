"""The tables of a run's page: scores, types, slices, buckets, schemas, reliability, causes of mistakes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from cotpd.evaluation.intervals import IntervalRow
from cotpd.evaluation.mistakes import CAUSES, count_causes
from cotpd.evaluation.reliability import Calibration
from cotpd.evaluation.results_table import (
    GAIN_ROWS,
    GAINS,
    ROWS,
    Metrics,
    format_gain,
    format_p,
    format_percent,
)
from cotpd.evaluation.slices import MINIMUM_SUPPORT
from cotpd.report.table_writer import Table
from cotpd.student.tasks import Prediction, Task

STUDENT = ROWS["student"]


def tabulate_scores(split: str, scores: Mapping[str, Any], task: Task) -> Table:
    """Return each row's scores on a split, and what the student gains, with interval and p."""
    figures_by_key = {**task.score_headings, "accuracy": task.accuracy_heading}
    headings = ("row", *figures_by_key.values(), "gain", "95 % interval", "p")
    rows = []
    for name in (name for name in ROWS if name in scores):
        figures = [_format_share(scores[name].get(key)) for key in figures_by_key]
        rows.append([ROWS[name], *figures, *format_gain(scores.get("gain") if name == "student" else None)])
    for key, title in GAIN_ROWS.items():
        if key in scores:
            rows.append([title, *[""] * len(figures_by_key), *format_gain(scores[key])])
    return Table(
        headings, rows, title=f"Scores on {split}, percent", note=_explain_gains(scores, task), strong=_STRONG
    )


_STRONG = frozenset({STUDENT})


def _explain_gains(scores: Mapping[str, Any], task: Task) -> str:
    """Return how gains were tested, and what the control is for."""
    notes: list[str] = []
    for key, reference in GAINS.items():
        if key in scores and not notes:
            notes.append(
                f"Gain: the student's {task.score_name} less that of the {ROWS[reference]}, in points. "
                f"Interval and p: paired bootstrap, {int(scores[key]['resamples'])} resamples of the posts. "
                "One training run each: another seed moves both."
            )
        if p_value := scores.get(key, {}).get("p_randomised"):
            notes.append(f"Over the {ROWS[reference]}, approximate randomisation gives p {format_p(p_value)}.")
    if "control" in scores:
        notes.append(
            "The control was taught in the same way on the same posts, without captions and answers. What the "
            "student gains over it is what the knowledge itself is worth."
        )
    repairs = {scores[name].get("label_repair") for name in ROWS if name in scores} - {None}
    notes += [f"Illegal tag sequences became mentions as {repair} reads them." for repair in sorted(repairs)]
    return " ".join(notes)


def tabulate_types(split: str, scores: Mapping[str, Any], task: Task) -> Table:
    """Return F1 of each type in each row, with the number of gold labels."""
    names = [name for name in ROWS if name in scores]
    per_type = [scores[name].get("per_type", {}) for name in names]
    absent = {"support": 0, "f1": 0.0}
    rows = []
    for kind in sorted(set(chain.from_iterable(per_type))):
        cells = [figures.get(kind, absent) for figures in per_type]
        support = max(cell["support"] for cell in cells)
        rows.append([kind, str(support), *(format_percent(cell["f1"]) for cell in cells)])
    headings = (task.label_heading, "gold", *(ROWS[name] for name in names))
    return Table(headings, rows, title=f"F1 by {task.label_heading} on {split}, percent")


def tabulate_slices(split: str, intervals: Sequence[IntervalRow], task: Task) -> Table | None:
    """Return the leading score of each row on each slice of a split with its interval; None without any."""
    members = [row for row in intervals if row.split == split and row.part == "slice"]
    if not members:
        return None
    rows = [
        [row.name, ROWS[row.model], str(row.support), format_percent(row.f1), _format_bounds(row.low, row.high)]
        for row in sorted(members, key=lambda row: row.name)
    ]
    note = f"With fewer than {MINIMUM_SUPPORT} gold labels a score says next to nothing."
    headings = ("slice", "row", "gold", task.score_name, "95 % interval")
    return Table(headings, rows, texts=2, title=f"Slices of {split}, percent", note=note)


def tabulate_calibration(split: str, calibrations: Mapping[str, Calibration]) -> Table | None:
    """Return how far the scores of each row can be trusted; None if no prediction has one."""
    if not calibrations:
        return None
    rows = [
        [
            ROWS[name],
            str(part.count),
            format_percent(part.score),
            format_percent(part.right),
            format_percent(part.error),
        ]
        for name, part in calibrations.items()
    ]
    headings = ("row", "predictions", "mean score", "share right", "calibration error")
    return Table(headings, rows, title=f"Reliability on {split}, percent")


def tabulate_causes(split: str, rows: Mapping[str, Sequence[Prediction]]) -> Table:
    """Return how often each cause of mistakes occurs in each row, over all types."""
    lines = []
    for name, members in rows.items():
        counts = sum(count_causes(members).values(), Counter[str]())
        lines.append([ROWS[name], *(str(counts[cause]) for cause in CAUSES)])
    return Table(("row", *CAUSES), lines, title=f"Mentions on {split}, by cause of mistake")


def tabulate_buckets(rows: Sequence[Mapping[str, Any]], task: Task) -> list[Table]:
    """Return a table for each split, row and comparison of buckets.json, in percent and points."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (str(row.get("split", "")), str(row.get("row", "")), str(row.get("against", "")))
        groups.setdefault(key, []).append(row)
    figures = (task.score_name, "against", "difference", "95 % interval", "p, Holm")
    headings = ("by", "bucket", "posts", "labels", *figures)
    return [
        Table(
            headings,
            [_list_bucket_cells(row) for row in members],
            texts=2,
            title=f"{ROWS.get(name, name)} against {ROWS.get(against, against)} on {split}",
        )
        for (split, name, against), members in groups.items()
    ]


def _list_bucket_cells(row: Mapping[str, Any]) -> list[str]:
    counts = [str(row.get("posts", "")), str(row.get("mentions", ""))]
    scores = [_format_number(row.get(key)) for key in ("score", "score_against")]
    difference = [_format_number(row.get("difference"), "+"), _format_interval(row)]
    difference.append(_format_number(row.get("p_holm"), places=3))
    return [str(row.get("by", "")), str(row.get("bucket", "")), *counts, *scores, *difference]


def _format_interval(row: Mapping[str, Any]) -> str:
    bounds = [_format_number(row.get(key), "+") for key in ("low", "high")]
    return " to ".join(bounds) if all(bounds) else str(row.get("note") or "")


def tabulate_schemas(rows: Sequence[Mapping[str, Any]]) -> list[Table]:
    """Return a table for each split of schemas.json: how exact a match must be to count."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(str(row.get("split", "")), []).append(row)
    return [_tabulate_schema(split, members) for split, members in groups.items()]


def _tabulate_schema(split: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    lines = [
        [
            ROWS.get(str(row.get("row", "")), str(row.get("row", ""))),
            str(row.get("schema", "")),
            *(_format_share(row.get(key)) for key in ("precision", "recall", "f1")),
        ]
        for row in rows
    ]
    headings = ("row", "schema", "precision", "recall", "F1")
    return Table(headings, lines, texts=2, title=f"Schemas of a match on {split}, percent")


def _format_number(value: Any, sign: str = "", places: int = 2) -> str:
    """Return a number; nothing for what is none, as in a file that was edited."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:{sign}.{places}f}" if is_number else ""


def _format_share(value: float | None) -> str:
    """Return a share in percent; nothing for a score that the file does not have."""
    return "" if value is None else format_percent(value)


def _format_bounds(low: float, high: float) -> str:
    return f"{format_percent(low)} to {format_percent(high)}"


def list_tiles(metrics: Metrics, task: Task) -> list[tuple[str, str]]:
    """Return the headline figures of a run with captions: leading score and gain of the student on each split."""
    tiles = []
    for split, scores in metrics.items():
        if "student" not in scores:
            continue
        tiles.append((format_percent(scores["student"]["f1"]), f"student's {task.score_name} on {split}"))
        if "gain" in scores:
            gain, _, p_value = format_gain(scores["gain"])
            tiles.append((gain, f"points over the baseline on {split}, p = {p_value}"))
    return tiles
