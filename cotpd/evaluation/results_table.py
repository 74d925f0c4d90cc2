"""The rows of every result: text-only baseline, student, knowledge view, and the control where one was trained.

The knowledge view reads captions and LLM answers, of which there are none at inference: it is the source of the
distillation, not a competitor. The student is compared with the baseline, which has the same encoder, text and
cost. The control was taught as the student was, but without knowledge: the student's gain over it is what the
knowledge itself is worth. The language model alone, asked for the labels themselves, says what its answers would
score without any student.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.box import HEAVY_HEAD
from rich.table import Column, Table

from cotpd.data.records import FEW_SHOT, SPLITS, ZERO_SHOT
from cotpd.data.tables import read_json
from cotpd.errors import DataError
from cotpd.evaluation.reliability import compute_calibration
from cotpd.evaluation.scores import DIGITS, LABEL_REPAIR, score
from cotpd.evaluation.significance import RESAMPLES, SEED, run_paired_bootstrap
from cotpd.student.tasks import Prediction, TaskName, find_task

ROWS = {
    "baseline": "text-only baseline",
    "control": "control (no knowledge)",
    "student": "student (text alone)",
    "knowledge": "knowledge view",
    ZERO_SHOT: "LLM alone, zero-shot",
    FEW_SHOT: "LLM alone, few-shot",
}
GAINS = {
    "gain": "baseline",
    "knowledge_gain": "control",
    "llm_zero_shot_gain": ZERO_SHOT,
    "llm_gain": FEW_SHOT,
}
"""Key in the metrics to the row that the student is compared with."""
WORTH = "student over control"  # what the knowledge itself is worth
GAIN_ROWS = {
    "knowledge_gain": WORTH,
    "llm_zero_shot_gain": "student over LLM, zero-shot",
    "llm_gain": "student over LLM, few-shot",
}
"""The gains that have a row of their own in a table, by their key in the metrics."""
GAIN_HEADINGS = ("gain", "95 % interval", "p")
Metrics = dict[str, dict[str, dict[str, Any]]]


def group_predictions(predictions: Iterable[Prediction]) -> dict[str, dict[str, list[Prediction]]]:
    """Return predictions by split, then by row, both in their fixed order.

    Raises:
        DataError: A prediction names a model that is none of these rows, or an unknown split.
    """
    groups: dict[str, dict[str, list[Prediction]]] = {}
    for row in predictions:
        if row.model not in ROWS or row.split not in SPLITS:
            raise DataError(
                f"prediction {row.id}: there is no row {row.model!r} or no split {row.split!r}",
                f"Known rows: {', '.join(ROWS)}; known splits: {', '.join(SPLITS)}.",
            )
        groups.setdefault(row.split, {}).setdefault(row.model, []).append(row)
    return {
        split: {name: groups[split][name] for name in ROWS if name in groups[split]}
        for split in SPLITS
        if split in groups
    }


def compute_metrics(
    predictions: Iterable[Prediction], task: TaskName, *, seed: int = SEED, resamples: int = RESAMPLES
) -> Metrics:
    """Score each row on each split, and test whether the student differs from baseline and control.

    Returns:
        ``{split: {row: scores}}``, with ``{split: {"gain": ...}}``, the student's F1 less the baseline's, its
        95 % interval and p-values, if the split has both rows; likewise "knowledge_gain", over the control, and
        "llm_gain", over the language model alone. All are numbers, but for the name of the label repair.

    Raises:
        DataError: An unknown row, overlapping spans, or rows over different examples.
    """
    metrics: Metrics = {}
    for split, rows in group_predictions(predictions).items():
        metrics[split] = {
            name: score(row, task).as_dict() | _measure_calibration(row) | name_label_repair(task)
            for name, row in rows.items()
        }
        for key, reference in GAINS.items():
            if {reference, "student"} <= rows.keys():
                gain = run_paired_bootstrap(rows["student"], rows[reference], seed=seed, resamples=resamples)
                metrics[split][key] = gain.as_dict()
    return metrics


def name_label_repair(task: TaskName) -> dict[str, str]:
    """Return how illegal tags became mentions; nothing for a task without tags."""
    return {"label_repair": LABEL_REPAIR} if find_task(task).has_extents else {}


def _measure_calibration(row: Sequence[Prediction]) -> dict[str, float]:
    """Return the expected calibration error; nothing if no prediction has a score."""
    calibration = compute_calibration(row)
    return {"calibration_error": round(calibration.error, DIGITS)} if calibration else {}


def select_headlines(metrics: Metrics, task: TaskName) -> Metrics:
    """Select the leading score of each row and its gains on each split, few enough for `dvc metrics diff`."""
    headlines: Metrics = {}
    key = find_task(task).score_key
    for split, rows in metrics.items():
        headlines[split] = {name: {key: row["f1"]} for name, row in rows.items()}
    return headlines


def read_metrics(path: Path) -> Metrics:
    """Read the scores that the evaluate step wrote.

    Raises:
        DataError: There are none, or the file was edited to something else.
    """
    metrics = read_json(path)
    try:
        _format_cells(metrics, ("f1", "accuracy"))
    except (KeyError, ValueError, TypeError, AttributeError):
        raise DataError(
            f"{path}: not the scores that evaluate writes", "Write them again: dvc repro --force evaluate"
        ) from None
    return metrics


def build_rich_table(metrics: Metrics, task: TaskName, *, leading_only: bool = False) -> Table:
    """Return the comparison as a table for the terminal, in percent, with the scores that lead in a task.

    Args:
        metrics: The scores that :func:`compute_metrics` returns.
        task: Says which scores there are.
        leading_only: Leave out all but the leading score, and the lines, for a narrow terminal.
    """
    definition = find_task(task)
    scores = {
        key: heading
        for key, heading in definition.score_headings.items()
        if not leading_only or key in ("f1", definition.score_key)
    }
    columns = (Column(name, justify="right", no_wrap=True) for name in (*scores.values(), *GAIN_HEADINGS))
    names = (Column("split", no_wrap=True), Column("row", no_wrap=True))
    table = Table(*names, *columns, box=None if leading_only else HEAVY_HEAD, pad_edge=not leading_only)
    for cells in _format_cells(metrics, tuple(scores)):
        table.add_row(*cells)
    return table


def _format_cells(metrics: Metrics, keys: Sequence[str]) -> list[list[str]]:
    """Return the cells of the results table as text, a list for each row of each split."""
    rows = []
    for split in sorted(metrics, key=SPLITS.index):  # scores.json has its keys sorted
        scores = metrics[split]
        for name in ROWS:
            if name in scores:
                figures = [format_percent(scores[name][key]) for key in keys]
                gain = scores.get("gain") if name == "student" else None
                rows.append([split, ROWS[name], *figures, *format_gain(gain)])
        for key, title in GAIN_ROWS.items():
            if key in scores:
                rows.append([split, title, *[""] * len(keys), *format_gain(scores[key])])
    return rows


def format_gain(gain: dict[str, float] | None) -> list[str]:
    """Return the gain in points of F1, its interval and its p-value, as text; empty strings if there is none."""
    if gain is None:
        return ["", "", ""]
    interval = f"{100 * gain['low']:+.2f} to {100 * gain['high']:+.2f}"
    return [f"{100 * gain['f1']:+.2f}", interval, format_p(gain["p_value"]).removeprefix("= ")]


def format_p(value: float) -> str:
    """Return a p-value with its relation: a test with a thousand draws never shows that it is zero."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"


def format_percent(value: float) -> str:
    """Return a share in percent with two places, as papers print it."""
    return f"{100 * value:.2f}"
