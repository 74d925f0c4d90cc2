"""evaluate: score the text-only baseline, the student and the knowledge view, and write the report."""

from collections.abc import Iterator

from cotpd.config import Params
from cotpd.data.records import SPLITS, Post, Prediction, Quarantined
from cotpd.data.tables import read_table, write_json, write_table
from cotpd.evaluation.compare import compare
from cotpd.evaluation.plots import read_history, write_plots
from cotpd.evaluation.predictions import predictions as as_rows
from cotpd.evaluation.report import Material, write_report
from cotpd.student import Student
from steps.common import (
    AUGMENTED,
    BASELINE,
    EVALUATION,
    METRICS,
    PREPARED,
    STUDENT,
    VALIDATED,
    checked_captions,
    checked_knowledge,
    main,
    prepared,
    read_json,
    say,
)
from steps.training import knowledge_examples, text_examples


def run(params: Params) -> None:
    """Write reports/metrics.json and reports/evaluation: predictions, plots with their data, report.html."""
    predictions = list(_predictions(params))
    metrics = compare(predictions, params.task, seed=params.seed)
    write_table(EVALUATION / "predictions.jsonl", predictions)
    histories = {folder.name: read_history(folder / "history.jsonl") for folder in (BASELINE, STUDENT)}
    plots = write_plots(EVALUATION / "plots", metrics, predictions, histories, params.task)
    write_report(_material(params, metrics, predictions, plots), EVALUATION / "report.html")
    write_json(METRICS, metrics)
    for split, rows in metrics.items():
        shown = ", ".join(f"{name} {row['f1']:.1%}" for name, row in rows.items() if "f1" in row)
        say(f"evaluate: {split} F1: {shown}")


def _predictions(params: Params) -> Iterator[Prediction]:
    baseline, student = Student.from_pretrained(BASELINE), Student.from_pretrained(STUDENT)
    for split in params.evaluate.splits:
        if not prepared(split):
            say(f"evaluate: the data set has no {split} split, so it is not scored")
            continue
        text, knowledge = text_examples(split, params), knowledge_examples(split, params)
        for row, model, examples, view in (
            ("baseline", baseline, text, "text"),
            ("student", student, text, "prompt"),
            ("knowledge", student, knowledge, "knowledge"),
        ):
            found = model.predict_examples(examples, view, batch_size=params.evaluate.batch_size)
            yield from as_rows(examples, found, split=split, model=row)


def _material(params: Params, metrics: dict, predictions: list[Prediction], plots: list) -> Material:
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
    )


if __name__ == "__main__":
    main(run)
