"""evaluate: score the text-only baseline, the student and the knowledge view, and write the report."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from cotpd.config import Params
from cotpd.data.records import SPLITS, Post, Quarantined
from cotpd.data.tables import read_json, read_table, write_json, write_table
from cotpd.evaluation.plots import read_history, write_plots
from cotpd.evaluation.predictions import build_predictions
from cotpd.evaluation.report import Material, write_report
from cotpd.evaluation.results_table import Metrics, compute_metrics, select_headlines
from cotpd.evaluation.showcase import Explained, choose_picks, explain_picks
from cotpd.storage import writing
from cotpd.student import Student
from cotpd.student.examples import Example, build_examples
from cotpd.student.neighbours import Neighbours
from cotpd.student.tasks import Prediction
from cotpd.student.views import View
from steps.common import (
    AUGMENTED,
    BASELINE,
    EVALUATION,
    METRICS,
    PREPARED,
    SCORES,
    STUDENT,
    TEACHERS,
    VALIDATED,
    checked_captions,
    checked_knowledge,
    main,
    prepared,
    say,
)
from steps.training import knowledge_examples, text_examples

EXPLAINED, NEAREST = 2, 2  # predictions of each sort in the report, and training posts for each


class System(NamedTuple):
    """A row of the comparison: a model, the view it is read in, and what gives it a split's examples."""

    row: str
    model: Student
    view: View
    examples: Callable[[str, Params], list[Example]]


def run(params: Params) -> None:
    """Write reports/metrics.json and reports/evaluation: scores, predictions, plots, report.html."""
    rows = systems(params.evaluate.device)
    predictions = list(_predictions(rows, params))
    metrics = compute_metrics(predictions, params.task, seed=params.seed)
    write_table(EVALUATION / "predictions.jsonl", predictions)
    with writing(EVALUATION / "plots"):
        plots = write_plots(EVALUATION / "plots", metrics, predictions, _histories(), params.task)
    student = next(system.model for system in rows if system.row == "student")
    explained = _explained(params, student, predictions)
    write_report(_material(params, metrics, predictions, plots, explained), EVALUATION / "report.html")
    write_json(SCORES, metrics)
    write_json(METRICS, select_headlines(metrics))
    for split, found in metrics.items():
        shown = ", ".join(f"{name} {row['f1']:.1%}" for name, row in found.items() if "f1" in row)
        say(f"evaluate: {split} F1: {shown}")


def systems(device: str = "auto") -> list[System]:
    """Baseline and student, each in its own view, and the knowledge view, of whichever model reads it.

    That is the student itself where both views were trained together, else the first of its frozen teachers; where
    neither is there, the row is left out, and said so.
    """
    baseline, student = (Student.from_pretrained(folder, device) for folder in (BASELINE, STUDENT))
    found = [
        System("baseline", baseline, baseline.views[0], text_examples),
        System("student", student, student.views[0], text_examples),
    ]
    reader = _reader_of_knowledge(student, device)
    return found + [System("knowledge", one, "knowledge", knowledge_examples) for one in reader]


def _reader_of_knowledge(student: Student, device: str) -> list[Student]:
    """The one model that the knowledge row is of, or none."""
    if "knowledge" in student.views:
        return [student]
    first = TEACHERS / "0"
    if first.is_dir():
        return [Student.from_pretrained(first, device)]
    say(f"evaluate: {STUDENT} reads text alone and there is no {first}, so the knowledge view is not scored")
    return []


def _predictions(rows: list[System], params: Params) -> Iterator[Prediction]:
    for split in params.evaluate.splits:
        if not prepared(split):
            say(f"evaluate: the data set has no {split} split, so it is not scored")
            continue
        for row, model, view, read in rows:
            examples = read(split, params)
            predicted = model.predict_examples(examples, view, batch_size=params.evaluate.batch_size)
            yield from build_predictions(examples, predicted, task=params.task, split=split, model=row)


def _histories() -> dict[str, list[dict[str, float]]]:
    folders = {"baseline": BASELINE, "student": STUDENT, "teacher": TEACHERS / "0"}
    files = {name: folder / "history.jsonl" for name, folder in folders.items()}
    return {name: read_history(file) for name, file in files.items() if file.is_file()}


def _explained(params: Params, student: Student, predictions: list[Prediction]) -> dict[str, list[Explained]]:
    """Some predictions on the last split that was scored, the one least tuned on, with what stands behind them."""
    splits = [split for split in params.evaluate.splits if prepared(split)]
    chosen = choose_picks(predictions, splits[-1], EXPLAINED) if splits else {}
    if not chosen:
        return {}
    learnt = build_examples(prepared("train"), params.task, checked_captions(), checked_knowledge())
    index = Neighbours.build(student, STUDENT, learnt)
    return explain_picks(index, text_examples(splits[-1], params), chosen, NEAREST)


def _material(
    params: Params,
    metrics: Metrics,
    predictions: list[Prediction],
    plots: list[Path],
    explained: dict[str, list[Explained]],
) -> Material:
    posts: dict[str, list[Post]] = {split: prepared(split) for split in SPLITS}
    return Material(
        params=params,
        metrics=metrics,
        predictions=predictions,
        posts={split: rows for split, rows in posts.items() if rows},
        captions=checked_captions(),
        knowledge=checked_knowledge(),
        quarantine=[
            row
            for folder in (PREPARED, VALIDATED, AUGMENTED)
            for row in read_table(folder / "quarantine.jsonl", Quarantined)
        ],
        augmented=read_json(AUGMENTED / "counts.json"),
        plots=plots,
        explained=explained,
    )


if __name__ == "__main__":
    main(run)
