"""The facts of a student for its model card."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cotpd.config import Params
from cotpd.data.tables import read_json, read_table
from cotpd.evaluation.intervals import IntervalRow
from cotpd.evaluation.results_table import ROWS
from cotpd.evaluation.slices import MINIMUM_SUPPORT
from cotpd.files import compute_sha256
from cotpd.pipeline.settings import list_settings
from cotpd.registry.model_card import CardFacts, Figure, TableFacts
from cotpd.student.folder_digests import CARD
from cotpd.student.labels import LabelSet
from cotpd.student.tasks import find_task
from cotpd.weights import find_model


def gather_card_facts(
    params: Params,
    metrics: Mapping[str, Any],
    *,
    student: Path,
    intervals: Path | None = None,
    tables: Sequence[Path] = (),
    cost: Sequence[tuple[str, str]] = (),
) -> CardFacts:
    """Return the facts of a model card.

    Args:
        params: All of params.yaml.
        metrics: The scores that :func:`cotpd.evaluation.results_table.compute_metrics` returns.
        student: The trained student's folder.
        intervals: The table of intervals that the evaluate step writes.
        tables: Those that the student was made from.
        cost: The expenses that :func:`cotpd.pipeline.making_cost.list_expenses` returns.

    Raises:
        DataError: The student's card or the table of intervals cannot be read.
    """
    task, encoder = find_task(params.task), find_model(params.student.encoder)
    rows = read_table(intervals, IntervalRow) if intervals is not None and intervals.is_file() else []
    figures = [Figure(**row.model_dump()) for row in rows]
    return CardFacts(
        title=task.title,
        pipeline_tag=task.hub_task,
        score=task.score_key,
        score_headings=task.score_headings,
        labels=LabelSet.model_validate(read_json(student / CARD, "labels")["labels"]).types,
        encoder=encoder.hub.repo if encoder and encoder.hub else params.student.encoder,
        licence=params.register_.encoder_licence or (encoder.licence if encoder else ""),
        data=params.data.path,
        metrics=metrics,
        figures=figures,
        row_titles=ROWS,
        minimum_support=MINIMUM_SUPPORT,
        intended_use=params.register_.intended_use or task.intended_use,
        limits=list_limits(params, metrics, figures),
        tables=[_describe_table(table) for table in tables],
        cost=cost,
        settings=list_settings(params),
        commands=['pip install -e ".[all]"', "dvc repro", "cotpd show"],
    )


def list_limits(params: Params, metrics: Mapping[str, Any], figures: Sequence[Figure]) -> list[str]:
    """Return what a reader of the scores should know, the weakest type and slice of the last split among it."""
    task = find_task(params.task)
    limits = [
        f"It predicts no other {task.label_noun} than these.",
        f"It was tested on no posts but those of {params.data.path}.",
        "Scores are of one training run: another seed moves them.",
    ]
    if params.ask.kinds or params.augment.kinds:
        limits.append(
            f"It learnt from answers of {params.llm.model}, and may have learnt their errors and biases."
        )
    limits += _describe_weakest(figures, task.score_name)
    for split, rows in metrics.items():
        error = rows.get("student", {}).get("calibration_error")
        if error is not None:
            limits.append(
                f"Its scores are off by {100 * error:.1f} points on average on {split} (calibration error)."
            )
    limits.append("A person should look before a prediction has consequences for somebody.")
    return limits


def _find_weakest(figures: Sequence[Figure]) -> list[Figure]:
    """Return the type and the slice of the student with the lowest F1 on the last split, of those with support."""
    split = figures[-1].split if figures else ""
    supported = [
        row for row in figures if (row.split, row.model) == (split, "student") and row.support >= MINIMUM_SUPPORT
    ]
    weakest = []
    for part in ("type", "slice"):
        candidates = [row for row in supported if row.part == part]
        weakest += sorted(candidates, key=lambda row: row.f1)[:1]
    return weakest


def _describe_weakest(figures: Sequence[Figure], score_name: str) -> list[str]:
    weakest = _find_weakest(figures)
    return [f"Weakest {row.part} on {row.split}: {_describe_figure(row, score_name)}." for row in weakest]


def _describe_figure(row: Figure, score_name: str) -> str:
    name = "F1" if row.part == "type" else score_name
    return f"{row.name}, {name} {100 * row.f1:.2f} ({100 * row.low:.2f} to {100 * row.high:.2f})"


def _describe_table(path: Path) -> TableFacts:
    with path.open("rb") as lines:
        return TableFacts(path.name, sum(1 for line in lines if line.strip()), compute_sha256(path))
