"""Plots as PNG and the numbers behind them as CSV, the same bytes for the same inputs.

The PNGs are for people and the report; the CSVs are what `dvc plots` draws and compares between revisions.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.errors import DataError
from cotpd.escaping import make_printable_line, write_csv
from cotpd.evaluation.mistakes import CAUSES, count_causes, pair_labels
from cotpd.evaluation.reliability import Bin, Calibration, compute_calibrations
from cotpd.evaluation.results_table import ROWS, Metrics, group_predictions
from cotpd.evaluation.scores import DIGITS
from cotpd.student.tasks import Prediction, Task, TaskName, find_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "baseline": "#94a3b8",
    "control": "#10b981",
    "student": "#2563eb",
    "knowledge": "#f59e0b",
    "teacher": "#f59e0b",
    "llm": "#9333ea",
    "llm_zero_shot": "#c084fc",
}
History = Sequence[Mapping[str, Any]]


def write_plots(
    out: Path,
    metrics: Metrics,
    predictions: Sequence[Prediction],
    histories: Mapping[str, History],
    task: TaskName,
) -> list[Path]:
    """Write every plot and table below ``out``.

    Args:
        out: Folder, made if need be.
        metrics: The scores that :func:`cotpd.evaluation.results_table.compute_metrics` returns.
        predictions: Predictions of all rows and splits.
        histories: Epochs by model, of :func:`read_history`.
        task: The task of the predictions.

    Returns:
        The PNG files, in the order in which a report shows them.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_csv(
        out / "f1_per_type.csv",
        ("split", "row", "type", "precision", "recall", "f1", "support"),
        _list_types(metrics),
    )
    write_csv(out / "curves.csv", ("model", "epoch", "measure", "value"), _list_points(histories))
    groups = group_predictions(predictions)
    for split, rows in groups.items():
        write_csv(out / f"confusion_{split}.csv", ("row", "actual", "predicted"), _list_confusions(rows))
    if find_task(task).has_extents:
        write_csv(out / "mistakes.csv", ("split", "row", "type", *CAUSES), _list_mistakes(predictions))
    calibrations = {split: compute_calibrations(rows) for split, rows in groups.items()}
    columns = ("split", "row", *(column.name for column in fields(Bin)))
    write_csv(out / "calibration.csv", columns, _list_bins(calibrations))

    figures: dict[str, Figure | None] = {
        f"f1_per_type_{split}": _draw_types(split, rows, find_task(task)) for split, rows in metrics.items()
    }
    figures |= {"calibration": _draw_reliability(calibrations), "curves": _draw_curves(histories, find_task(task))}
    return [save_figure(figure, out / f"{name}.png") for name, figure in figures.items() if figure]


def read_history(path: Path) -> list[dict[str, Any]]:
    """Return the epochs of a model's history.jsonl, flattened: ``{"epoch": 1, "loss": ..., "valid.f1": ...}``.

    Raises:
        DataError: A line is not a JSON object.
    """
    epochs = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            epochs.append({"epoch": number, **_flatten(json.loads(line))})
        except (ValueError, AttributeError):
            raise DataError(f"{path}:{number}: not a JSON object", "Train the model again: dvc repro.") from None
    return epochs


def _flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the numbers of a nested object by dotted name; other values are left out."""
    numbers: dict[str, Any] = {}
    for key, member in value.items():
        if isinstance(member, dict):
            numbers |= _flatten(member, f"{prefix}{key}.")
        elif isinstance(member, int | float) and not isinstance(member, bool):
            numbers[prefix + key] = member
    return numbers


def _list_types(metrics: Metrics) -> Iterable[tuple[Any, ...]]:
    for split, rows in metrics.items():
        for name in (name for name in ROWS if name in rows):
            for kind, scores in rows[name]["per_type"].items():
                yield split, name, kind, scores["precision"], scores["recall"], scores["f1"], scores["support"]


def _list_points(histories: Mapping[str, History]) -> Iterable[tuple[Any, ...]]:
    for model, epochs in histories.items():
        for epoch in epochs:
            for measure in sorted(set(epoch) - {"epoch"}):
                yield model, epoch["epoch"], measure, epoch[measure]


def _list_confusions(rows: Mapping[str, Sequence[Prediction]]) -> Iterable[tuple[str, str, str]]:
    for name, row in rows.items():
        for gold, predicted in pair_labels(row):
            yield name, gold, predicted


def _list_bins(calibrations: Mapping[str, Mapping[str, Calibration]]) -> Iterable[tuple[Any, ...]]:
    for split, rows in calibrations.items():
        for name, calibration in rows.items():
            for part in calibration.bins:
                yield split, name, *(round(value, DIGITS) for value in astuple(part))


def _list_mistakes(predictions: Sequence[Prediction]) -> Iterable[tuple[Any, ...]]:
    for split, rows in group_predictions(predictions).items():
        for name, row in rows.items():
            for kind, counts in count_causes(row).items():
                yield split, name, kind, *(counts[cause] for cause in CAUSES)


def make_figure(columns: int, height: float) -> "tuple[Figure, list[Axes]]":
    """Return a figure without pyplot, which would look for a display and keep every figure in memory."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  the extra report
    from matplotlib.figure import Figure  # noqa: PLC0415  the extra report

    figure = Figure(figsize=(9, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(length=0)
    return figure, axes


def save_figure(figure: "Figure", path: Path) -> Path:
    """Write a figure as PNG, the same bytes for the same figure, and return its path."""
    figure.savefig(path, metadata={"Software": None})  # the version would change the bytes
    return path


def name_total(task: Task) -> str:
    """Return what the first group of bars shows."""
    return "all (micro)" if task.score_key == "f1" else f"all ({task.score_name})"


def _draw_types(split: str, rows: Mapping[str, Any], task: Task) -> "Figure":
    """Draw F1 of each type as a group of bars, one for each model."""
    names = [name for name in ROWS if name in rows]
    kinds = sorted(set(chain.from_iterable(rows[name]["per_type"] for name in names)))
    figure, [axis] = make_figure(1, 1.4 + 0.5 * (len(kinds) + 1))
    distance = min(0.26, 0.8 / len(names))
    thickness = 0.88 * distance
    for index, name in enumerate(names):
        scores = [rows[name]["f1"], *(rows[name]["per_type"].get(kind, {}).get("f1", 0.0) for kind in kinds)]
        offset = distance * (index - (len(names) - 1) / 2)
        heights = [row + offset for row in range(len(scores))]
        bars = axis.barh(heights, [100 * f1 for f1 in scores], thickness, color=COLOURS[name], label=ROWS[name])
        axis.bar_label(bars, fmt="%.1f", padding=3, fontsize=8, color="#475569")
    axis.set_yticks(range(len(kinds) + 1), [name_total(task), *map(make_printable_line, kinds)], parse_math=False)
    axis.invert_yaxis()
    axis.set_xlim(0, 105)
    axis.set_xlabel("F1, percent")
    axis.set_title(f"F1 by {task.label_heading}, {split}", loc="left", fontsize=11)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    return figure


def _draw_reliability(calibrations: Mapping[str, Mapping[str, Calibration]]) -> "Figure | None":
    """Draw the share right over the score, a panel a split; a dot's area shows its number of predictions."""
    if not any(calibrations.values()):
        return None
    figure, axes = make_figure(len(calibrations), 3.6)
    for axis, (split, rows) in zip(axes, calibrations.items(), strict=True):
        axis.plot((0, 1), (0, 1), "--", color="#cbd5e1", linewidth=1)
        for name, calibration in rows.items():
            points = [part.score for part in calibration.bins], [part.right for part in calibration.bins]
            axis.plot(*points, color=COLOURS[name], linewidth=1, label=ROWS[name])
            areas = [300 * part.count / calibration.count for part in calibration.bins]
            axis.scatter(*points, areas, color=COLOURS[name], alpha=0.6, linewidths=0)
        axis.set_title(f"share right by score, {split}", loc="left", fontsize=11)
        axis.set_xlabel("score")
        axis.set_xlim(0, 1.05)
        axis.set_ylim(-0.03, 1.05)
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def _draw_curves(histories: Mapping[str, History], task: Task) -> "Figure | None":
    """Draw training losses and valid F1 over the epochs."""
    if not any(histories.values()):
        return None
    figure, [losses, scores] = make_figure(2, 3.4)
    for model, epochs in histories.items():
        _draw_lines(losses, model, epochs, "loss")
        _draw_lines(scores, model, epochs, "f1", marker="o", markersize=3)
    for axis, title in ((losses, "training loss"), (scores, f"valid {task.score_name}")):
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("epoch")
        if axis.lines:
            axis.legend(frameon=False, fontsize=8)
        locator: Any = axis.xaxis.get_major_locator()
        locator.set_params(integer=True)
    return figure


def _find_measures(epochs: History, kind: str) -> list[str]:
    """Return the keys of the losses ("loss"), or those that end with ``kind``, the total first.

    Scores of single types are left to the tables.
    """
    keys = {key for key in chain.from_iterable(epochs) if "per_type" not in key}
    if kind == "loss":
        measures = {key for key in keys if "loss" in key or key.split(".")[-1] == "kl"}
    else:
        measures = {key for key in keys if key.split(".")[-1] == kind}
    return sorted(measures, key=lambda key: (key != kind, "knowledge" in key, key))


def _draw_lines(axis: "Axes", model: str, epochs: History, kind: str, **style: Any) -> None:
    """Draw up to four measures of a kind (loss, f1) over the epochs, each with a dash pattern of its own."""
    for line, measure in zip(("-", "--", ":", "-."), _find_measures(epochs, kind), strict=False):
        points = [(epoch["epoch"], epoch[measure]) for epoch in epochs if measure in epoch]
        row = "knowledge" if "knowledge" in measure else model
        colour = COLOURS.get(row, "#334155")
        axis.plot(*zip(*points, strict=True), line, label=f"{model}: {measure}", color=colour, **style)
