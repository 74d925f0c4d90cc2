"""The plots of a page as data: what its script draws, and what it shows as a table below each."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from statistics import mean
from typing import Any

from cotpd.evaluation.intervals import IntervalRow
from cotpd.evaluation.plots import name_total
from cotpd.evaluation.reliability import Calibration
from cotpd.evaluation.results_table import ROWS, Metrics
from cotpd.report.evaluation_files import CurvePoint
from cotpd.student.tasks import Task

Figure = dict[str, Any]
TEACHER = "teacher"  # has the colour of the knowledge view, which it is read in


def find_colour(name: str) -> int:
    """Return the number of the colour of a row, or of a model of a study."""
    names = list(ROWS)
    return names.index("knowledge" if name == TEACHER else name) if name in (*names, TEACHER) else len(names)


def build_curves(curves: Sequence[CurvePoint], task: Task) -> list[Figure]:
    """Return the losses of training and the scores on valid over the epochs."""
    points: dict[tuple[str, str], list[list[float]]] = {}
    for point in curves:
        points.setdefault((point.model, point.measure), []).append([point.epoch, point.value])
    losses = {key: line for key, line in points.items() if key[1].split(".")[-1] in ("loss", "kl")}
    scores = {key: line for key, line in points.items() if key[1].endswith(".f1") and "per_type" not in key[1]}
    figures = [
        _build_lines("loss", "Training loss", "loss", losses),
        _build_lines("valid", f"{task.score_name} on valid", f"{task.score_name}, percent", scores),
    ]
    return [figure for figure in figures if figure["series"]]


def _build_lines(name: str, title: str, unit: str, lines: Mapping[tuple[str, str], list[list[float]]]) -> Figure:
    series = []
    for number, ((model, measure), points) in enumerate(lines.items()):
        reads_knowledge = "knowledge" in measure
        shown = measure.removeprefix("valid.").removesuffix(".f1")
        colour = find_colour("knowledge" if reads_knowledge else model)
        series.append({"name": f"{model}: {shown}", "colour": colour, "dash": number % 4, "points": points})
    return {"id": name, "kind": "lines", "title": title, "x": "epoch", "y": unit, "series": series}


def build_reliability(split: str, calibrations: Mapping[str, Calibration]) -> Figure:
    """Return the share of predictions that are right over their score; a point's weight is their number."""
    series = [
        {
            "name": ROWS[name],
            "colour": find_colour(name),
            "dash": 0,
            "points": [[round(part.score, 4), round(part.right, 4), part.count] for part in calibration.bins],
        }
        for name, calibration in calibrations.items()
    ]
    return {
        "id": f"reliability-{split}",
        "kind": "lines",
        "title": f"Share right by score, {split}",
        "x": "score",
        "y": "share right",
        "range": [0, 1],
        "diagonal": True,
        "series": series,
    }


def build_types(split: str, metrics: Metrics, intervals: Sequence[IntervalRow], task: Task) -> Figure:
    """Return F1 of each type, and the leading score of all, as bars: a group a type, a bar a row."""
    scores = metrics[split]
    names = [name for name in ROWS if name in scores]
    kinds = sorted(set(chain.from_iterable(scores[name].get("per_type", {}) for name in names)))
    bounds = {(row.model, row.part, row.name): row for row in intervals if row.split == split}
    series = []
    for name in names:
        values = [
            scores[name]["f1"],
            *(scores[name].get("per_type", {}).get(kind, {}).get("f1", 0.0) for kind in kinds),
        ]
        parts = [bounds.get((name, "all", "")), *(bounds.get((name, "type", kind)) for kind in kinds)]
        bars = [_build_bar(value, part) for value, part in zip(values, parts, strict=True)]
        series.append({"name": ROWS[name], "colour": find_colour(name), "bars": bars})
    return {
        "id": f"types-{split}",
        "kind": "bars",
        "title": f"F1 by {task.label_heading}, {split}",
        "x": "F1, percent",
        "groups": [name_total(task), *kinds],
        "series": series,
    }


def _build_bar(value: float, part: IntervalRow | None) -> list[float]:
    """Return a value in percent, and the bounds of its interval if it has one."""
    bounds = [] if part is None else [100 * part.low, 100 * part.high]
    return [round(figure, 2) for figure in (100 * value, *bounds)]


def build_spreads(
    name: str, title: str, score_name: str, rows: Iterable[tuple[str, Sequence[float], int]]
) -> Figure:
    """Return scores of several seeds with their mean: label, scores in percent, number of the colour."""
    members = [
        {
            "name": label,
            "value": round(mean(scores), 4),
            "low": min(scores),
            "high": max(scores),
            "points": list(scores),
            "colour": colour,
        }
        for label, scores, colour in rows
    ]
    return {
        "id": name,
        "kind": "differences",
        "title": title,
        "x": f"{score_name}, percent: seeds and mean",
        "rows": members,
    }


def build_differences(
    name: str, title: str, score_name: str, rows: Iterable[tuple[str, float, float, float, bool]]
) -> Figure:
    """Return differences with their intervals.

    Args:
        name: The figure's id.
        title: Its title.
        score_name: What they are differences of.
        rows: Label, difference, both bounds, in points, and whether it is more than chance.
    """
    members = [
        {"name": label, "value": value, "low": low, "high": high, "certain": is_certain}
        for label, value, low, high, is_certain in rows
    ]
    figure = {"id": name, "kind": "differences", "title": title, "x": f"points of {score_name}", "rows": members}
    return figure | {"zero": True}
