"""The three rows that every result stands in: text-only baseline, student, knowledge view.

The knowledge view reads captions and LLM answers that nobody has at inference: it is what there was to distil, not
a competitor. The student is compared with the baseline, with which it shares encoder, text and cost.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from cotpd.data.records import SPLITS, Prediction
from cotpd.data.tables import read_json
from cotpd.errors import DataError
from cotpd.evaluation.calibration import calibration
from cotpd.evaluation.scores import DIGITS, Task, score
from cotpd.evaluation.significance import paired_bootstrap

ROWS = {
    "baseline": "text-only baseline",
    "student": "student (text alone)",
    "knowledge": "knowledge view",
}
HEADINGS = ("precision", "recall", "F1", "macro F1", "gain", "95 % interval", "p")
Metrics = dict[str, dict[str, dict[str, Any]]]


def grouped(predictions: Iterable[Prediction]) -> dict[str, dict[str, list[Prediction]]]:
    """Predictions by split, then by row, both in their fixed order.

    Raises:
        DataError: A prediction names a model that is none of the three rows, or an unknown split.
    """
    found: dict[str, dict[str, list[Prediction]]] = {}
    for row in predictions:
        if row.model not in ROWS or row.split not in SPLITS:
            raise DataError(
                f"prediction {row.id}: there is no row {row.model!r} or no split {row.split!r}",
                f"Known rows: {', '.join(ROWS)}; known splits: {', '.join(SPLITS)}.",
            )
        found.setdefault(row.split, {}).setdefault(row.model, []).append(row)
    return {
        split: {name: found[split][name] for name in ROWS if name in found[split]}
        for split in SPLITS
        if split in found
    }


def compare(predictions: Iterable[Prediction], task: Task, *, seed: int, resamples: int = 1000) -> Metrics:
    """Score each row on each split, and say whether student and baseline differ.

    Returns:
        ``{split: {row: scores}}``, with ``{split: {"gain": ...}}``, the student's F1 less the baseline's, its
        95 % interval and p-value, where both rows are there. Numbers only, as `dvc metrics` wants them.

    Raises:
        DataError: An unknown row, overlapping spans, or rows over different examples.
    """
    metrics: Metrics = {}
    for split, rows in grouped(predictions).items():
        metrics[split] = {name: score(row, task).as_dict() | _reliability(row, task) for name, row in rows.items()}
        if {"baseline", "student"} <= rows.keys():
            gain = paired_bootstrap(rows["student"], rows["baseline"], task, seed=seed, resamples=resamples)
            metrics[split]["gain"] = gain.as_dict()
    return metrics


def _reliability(row: Sequence[Prediction], task: Task) -> dict[str, float]:
    """The expected calibration error, where anything was predicted with a score."""
    found = calibration(row, task)
    return {"calibration_error": round(found.error, DIGITS)} if found else {}


def select_headlines(metrics: Metrics) -> Metrics:
    """Select F1 of each row and the gain on each split, few enough to be read in `dvc metrics diff`."""
    return {split: {name: {"f1": row["f1"]} for name, row in rows.items()} for split, rows in metrics.items()}


def read_metrics(path: Path) -> Metrics:
    """Read the scores that the evaluate step wrote.

    Raises:
        DataError: There are none, or the file was edited to something else.
    """
    metrics = read_json(path)
    try:
        _cells(metrics)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise DataError(
            f"{path}: not the scores that evaluate writes", "Write them again: dvc repro --force evaluate"
        ) from None
    return metrics


def rich_table(metrics: Metrics) -> Table:
    """The comparison for the terminal, in percent."""
    plain = (Column(name, justify="right", no_wrap=True) for name in HEADINGS)
    table = Table(Column("split", no_wrap=True), Column("row", no_wrap=True), *plain)
    for cells in _cells(metrics):
        table.add_row(*cells)
    return table


def markdown_table(metrics: Metrics) -> str:
    """The comparison in Markdown, in percent."""
    heads = ["split", "row", *HEADINGS]
    lines = ["| " + " | ".join(heads) + " |", "|---|---|" + "---:|" * len(HEADINGS)]
    lines += ["| " + " | ".join(cells) + " |" for cells in _cells(metrics)]
    return "\n".join(lines) + "\n"


def _cells(metrics: Metrics) -> list[list[str]]:
    rows = []
    for split in sorted(metrics, key=SPLITS.index):  # scores.json has its keys sorted
        found = metrics[split]
        for name in ROWS:
            if name in found:
                figures = [percent(found[name][key]) for key in ("precision", "recall", "f1", "macro_f1")]
                gain = found.get("gain") if name == "student" else None
                rows.append([split, ROWS[name], *figures, *gain_cells(gain)])
    return rows


def gain_cells(gain: dict[str, float] | None) -> list[str]:
    """Gain in points of F1, its interval and its p-value, as words; empty where there is none."""
    if gain is None:
        return ["", "", ""]
    interval = f"{100 * gain['low']:+.2f} to {100 * gain['high']:+.2f}"
    return [f"{100 * gain['f1']:+.2f}", interval, f"{gain['p_value']:.3f}"]


def percent(value: float) -> str:
    """A share in percent, two places, as papers print it."""
    return f"{100 * value:.2f}"
