"""Plots as PNG and the numbers behind them as CSV, the same bytes for the same inputs.

The PNGs are for people and the report; the CSVs are what `dvc plots` draws and compares between revisions.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.data.records import Prediction
from cotpd.errors import DataError
from cotpd.escaping import printable_line, write_csv
from cotpd.evaluation.calibration import Bin, Calibration, reliabilities
from cotpd.evaluation.compare import ROWS, Metrics, grouped
from cotpd.evaluation.mistakes import CAUSES, causes, pairs
from cotpd.evaluation.scores import DIGITS, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {"baseline": "#94a3b8", "student": "#2563eb", "knowledge": "#f59e0b", "teacher": "#f59e0b"}
History = Sequence[Mapping[str, Any]]


def write_plots(
    out: Path,
    metrics: Metrics,
    predictions: Sequence[Prediction],
    histories: Mapping[str, History],
    task: Task,
) -> list[Path]:
    """Write every plot and table below ``out``.

    Args:
        out: Folder, made if need be.
        metrics: Of :func:`cotpd.evaluation.compare.compare`.
        predictions: Of all rows and splits.
        histories: Epochs by model, of :func:`read_history`.
        task: ner or re.

    Returns:
        The PNG files, in the order in which a report shows them.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_csv(
        out / "f1_per_type.csv", ("split", "row", "type", "precision", "recall", "f1", "support"), _types(metrics)
    )
    write_csv(out / "curves.csv", ("model", "epoch", "measure", "value"), _curves(histories))
    for split, rows in grouped(predictions).items():
        confusions = [(name, *pair) for name, row in rows.items() for pair in pairs(row, task)]
        write_csv(out / f"confusion_{split}.csv", ("row", "actual", "predicted"), confusions)
    if task == "ner":
        write_csv(out / "mistakes.csv", ("split", "row", "type", *CAUSES), _mistakes(predictions))
    reliability = {split: reliabilities(rows, task) for split, rows in grouped(predictions).items()}
    write_csv(out / "calibration.csv", ("split", "row", *(one.name for one in fields(Bin))), _bins(reliability))
    drawn = [_save(_draw_types(split, rows), out / f"f1_per_type_{split}.png") for split, rows in metrics.items()]
    further = {"calibration": _draw_reliability(reliability), "curves": _draw_curves(histories)}
    return drawn + [_save(figure, out / f"{name}.png") for name, figure in further.items() if figure]


def read_history(path: Path) -> list[dict[str, Any]]:
    """The epochs of a model's history.jsonl, each flattened: ``{"epoch": 1, "loss": ..., "valid.f1": ...}``.

    Raises:
        DataError: A line is not a JSON object.
    """
    epochs = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            epochs.append({"epoch": number, **_flat(json.loads(line))})
        except (ValueError, AttributeError):
            raise DataError(f"{path}:{number}: not a JSON object", "Train the model again: dvc repro.") from None
    return epochs


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, one in value.items():
        if isinstance(one, dict):
            found |= _flat(one, f"{prefix}{key}.")
        elif isinstance(one, int | float) and not isinstance(one, bool):
            found[prefix + key] = one
    return found


def _types(metrics: Metrics) -> Iterable[tuple[Any, ...]]:
    for split, rows in metrics.items():
        for name in (name for name in ROWS if name in rows):
            for kind, one in rows[name]["per_type"].items():
                yield split, name, kind, one["precision"], one["recall"], one["f1"], one["support"]


def _curves(histories: Mapping[str, History]) -> Iterable[tuple[Any, ...]]:
    for model, epochs in histories.items():
        for epoch in epochs:
            for measure in sorted(set(epoch) - {"epoch"}):
                yield model, epoch["epoch"], measure, epoch[measure]


def _bins(reliability: Mapping[str, Mapping[str, Calibration]]) -> Iterable[tuple[Any, ...]]:
    for split, rows in reliability.items():
        for name, found in rows.items():
            for one in found.bins:
                yield split, name, *(round(value, DIGITS) for value in astuple(one))


def _mistakes(predictions: Sequence[Prediction]) -> Iterable[tuple[Any, ...]]:
    for split, rows in grouped(predictions).items():
        for name, row in rows.items():
            for kind, found in causes(row).items():
                yield split, name, kind, *(found[cause] for cause in CAUSES)


def _figure(columns: int, height: float) -> "tuple[Figure, list[Axes]]":
    # A Figure without pyplot: no display is looked for and nothing lives on after the step.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(1, columns, squeeze=False)[0])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(length=0)
    return figure, axes


def _save(figure: "Figure", path: Path) -> Path:
    figure.savefig(path, metadata={"Software": None})  # the version would change the bytes
    return path


def _draw_types(split: str, rows: Mapping[str, Any]) -> "Figure":
    names = [name for name in ROWS if name in rows]
    kinds = sorted({kind for name in names for kind in rows[name]["per_type"]})
    figure, [axis] = _figure(1, 1.4 + 0.5 * (len(kinds) + 1))
    for place, name in enumerate(names):
        scores = [rows[name]["f1"], *(rows[name]["per_type"].get(kind, {}).get("f1", 0.0) for kind in kinds)]
        at = [row + 0.26 * (place - (len(names) - 1) / 2) for row in range(len(scores))]
        bars = axis.barh(at, [100 * one for one in scores], 0.23, color=COLOURS[name], label=ROWS[name])
        axis.bar_label(bars, fmt="%.1f", padding=3, fontsize=8, color="#475569")
    axis.set_yticks(range(len(kinds) + 1), ["all (micro)", *map(printable_line, kinds)], parse_math=False)
    axis.invert_yaxis()
    axis.set_xlim(0, 105)
    axis.set_xlabel("F1, percent")
    axis.set_title(f"F1 per type, {split}", loc="left", fontsize=11)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    return figure


def _draw_reliability(reliability: Mapping[str, Mapping[str, Calibration]]) -> "Figure | None":
    """Share right over score, a panel a split; a dot's area says how many predictions it stands for."""
    if not any(reliability.values()):
        return None
    figure, axes = _figure(len(reliability), 3.6)
    for axis, (split, rows) in zip(axes, reliability.items(), strict=True):
        axis.plot((0, 1), (0, 1), "--", color="#cbd5e1", linewidth=1)
        for name, found in rows.items():
            points = [one.score for one in found.bins], [one.right for one in found.bins]
            axis.plot(*points, color=COLOURS[name], linewidth=1, label=ROWS[name])
            share = [300 * one.count / found.count for one in found.bins]
            axis.scatter(*points, share, color=COLOURS[name], alpha=0.6, linewidths=0)
        axis.set_title(f"share right by score, {split}", loc="left", fontsize=11)
        axis.set_xlabel("score")
        axis.set_xlim(0, 1.05)
        axis.set_ylim(-0.03, 1.05)
    axes[0].legend(frameon=False, fontsize=8)
    return figure


def _draw_curves(histories: Mapping[str, History]) -> "Figure | None":
    if not any(histories.values()):
        return None
    figure, [losses, scores] = _figure(2, 3.4)
    for model, epochs in histories.items():
        _lines(losses, model, epochs, "loss")
        _lines(scores, model, epochs, "f1", marker="o", markersize=3)
    for axis, title in ((losses, "training loss"), (scores, "valid F1")):
        axis.set_title(title, loc="left", fontsize=11)
        axis.set_xlabel("epoch")
        if axis.lines:
            axis.legend(frameon=False, fontsize=8)
        axis.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _measures(epochs: History, what: str) -> list[str]:
    """Keys whose last part names the measure, the total first; scores of single types are left to the tables."""
    keys = {key for epoch in epochs for key in epoch if "per_type" not in key}
    if what == "loss":
        found = {key for key in keys if "loss" in key or key.split(".")[-1] == "kl"}
    else:
        found = {key for key in keys if key.split(".")[-1] == what}
    return sorted(found, key=lambda key: (key != what, "knowledge" in key, key))


def _lines(axis: "Axes", model: str, epochs: History, what: str, **style: Any) -> None:
    for line, measure in zip(("-", "--", ":", "-."), _measures(epochs, what), strict=False):
        points = [(epoch["epoch"], epoch[measure]) for epoch in epochs if measure in epoch]
        row = "knowledge" if "knowledge" in measure else model
        colour = COLOURS.get(row, "#334155")
        axis.plot(*zip(*points, strict=True), line, label=f"{model}: {measure}", color=colour, **style)
