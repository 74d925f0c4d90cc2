"""evaluate: score baseline, control, student, knowledge view and language model alone; write the report."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

from cotpd.config import Params
from cotpd.data.records import SPLITS, Post
from cotpd.data.tables import write_json, write_table
from cotpd.evaluation.buckets import BUCKETS_FILE, compute_buckets
from cotpd.evaluation.diagnoses import DIAGNOSES_FILE, diagnose_run
from cotpd.evaluation.intervals import compute_intervals
from cotpd.evaluation.json_rows import write_rows
from cotpd.evaluation.labelling_odds import Reader
from cotpd.evaluation.partitions import list_partitions
from cotpd.evaluation.plots import read_history, write_plots
from cotpd.evaluation.predictions import build_predictions
from cotpd.evaluation.results_table import compute_metrics, select_headlines
from cotpd.evaluation.schemas import SCHEMAS_FILE, compute_schemas
from cotpd.evaluation.showcase import choose_picks, explain_picks
from cotpd.evaluation.significance import SEED
from cotpd.extraction.llm_predictions import collect_predictions
from cotpd.pipeline.diagnosis_inputs import gather_run_evidence
from cotpd.pipeline.gold_check import check_gold
from cotpd.pipeline.run_facts import gather_run_record
from cotpd.pipeline.run_report import build_all_slices, write_run_report
from cotpd.pipeline.training_examples import (
    read_knowledge_examples,
    read_original_examples,
    read_text_examples,
)
from cotpd.pipeline.workspace import Workspace
from cotpd.report.evidence import EXPLAINED, NEAREST, find_nearest_posts, list_explained
from cotpd.report.run_record import RUN_RECORD
from cotpd.storage import report_full_disk
from cotpd.student import Student
from cotpd.student.examples import Example
from cotpd.student.neighbours import Neighbours
from cotpd.student.tasks import Prediction, TaskName, find_task
from cotpd.student.views import View
from steps.common import main, say

EXPLAINED_EACH, NEAREST_EACH = 2, 3  # explained predictions of each sort, and training posts for each mention


class System(NamedTuple):
    """A row of the comparison: a model, the view it is read in, and the function that reads a split's examples."""

    row: str
    model: Student
    view: View
    read_examples: Callable[[Workspace, TaskName, str], list[Example]]


def run(params: Params) -> None:
    """Write reports/metrics.json and reports/evaluation: scores, predictions, plots, evidence, report.html."""
    workspace = Workspace()
    systems = load_systems(workspace, params.evaluate.device)
    student = next(system.model for system in systems if system.row == "student")

    predictions = list(_predict(workspace, systems, params))
    metrics = compute_metrics(predictions, params.task)
    write_table(workspace.evaluation / "predictions.jsonl", predictions)
    write_json(workspace.scores, metrics)
    write_json(workspace.metrics, select_headlines(metrics, params.task))
    slices = build_all_slices(workspace, params.task)
    write_table(workspace.intervals, compute_intervals(predictions, slices, seed=SEED))
    _write_findings(workspace, params, predictions)
    _check_gold(workspace, systems, params, predictions)

    folder = workspace.evaluation / "plots"
    with report_full_disk(folder):
        write_plots(folder, metrics, predictions, _read_histories(workspace), params.task)
    _write_evidence(workspace, params, student, predictions)
    write_json(workspace.evaluation / RUN_RECORD, gather_run_record(workspace, params).model_dump(mode="json"))
    write_run_report(workspace, workspace.report, params.task)

    for split, scores in metrics.items():
        shown = ", ".join(f"{name} {row['f1']:.1%}" for name, row in scores.items() if "f1" in row)
        say(f"evaluate: {split} {find_task(params.task).score_name}: {shown}")


def load_systems(workspace: Workspace, device: str = "auto") -> list[System]:
    """Load baseline and student, each read in its own view, and the model that is read in the knowledge view.

    That is the student itself if both views were trained together, else the first of its frozen teachers; without
    a teacher the row is left out, and a line says so. A control, if there is one, is read as the student is.
    """
    baseline = Student.from_pretrained(workspace.baseline, device)
    student = Student.from_pretrained(workspace.student, device)
    systems = [
        System("baseline", baseline, baseline.views[0], read_text_examples),
        System("student", student, student.views[0], read_text_examples),
    ]
    if workspace.control_student.is_dir():
        control = Student.from_pretrained(workspace.control_student, device)
        systems.append(System("control", control, control.views[0], read_text_examples))
    reader = _load_knowledge_reader(workspace, student, device)
    if reader is not None:
        systems.append(System("knowledge", reader, "knowledge", read_knowledge_examples))
    return systems


def _load_knowledge_reader(workspace: Workspace, student: Student, device: str) -> Student | None:
    """Return the model that the knowledge row is scored with; None if there is none."""
    if "knowledge" in student.views:
        return student
    teacher = workspace.locate_teacher(0)
    if teacher.is_dir():
        return Student.from_pretrained(teacher, device)
    say(
        f"evaluate: {workspace.student} reads text alone and there is no {teacher}, "
        "so the knowledge view is not scored"
    )
    return None


def _predict(workspace: Workspace, systems: list[System], params: Params) -> Iterator[Prediction]:
    """Yield every system's predictions on every split to score that the data set has."""
    for split in params.evaluate.splits:
        if not workspace.read_posts(split):
            say(f"evaluate: the data set has no {split} split, so it is not scored")
            continue
        for system in systems:
            examples = system.read_examples(workspace, params.task, split)
            predicted = system.model.predict_examples(examples, system.view, batch_size=params.evaluate.batch_size)
            yield from build_predictions(examples, predicted, task=params.task, split=split, model=system.row)
        yield from _read_llm_rows(workspace, params.task, split)


def _read_llm_rows(workspace: Workspace, task: TaskName, split: str) -> Iterator[Prediction]:
    """Yield what the language model alone labelled, if it was asked (llm_row)."""
    examples = read_text_examples(workspace, task, split)
    rows = collect_predictions(workspace.read_extracted(), examples, task, split)
    for name, predicted in rows.items():
        yield from build_predictions(examples, predicted, task=task, split=split, model=name)


def _check_gold(
    workspace: Workspace, systems: list[System], params: Params, predictions: list[Prediction]
) -> None:
    """Look for errors in the gold labels, with every model as a judge, and say what there is."""
    captions, knowledge = workspace.read_captions(), workspace.read_knowledge()
    readers = [Reader(system.row, system.model, system.view, captions, knowledge) for system in systems]
    for line in check_gold(workspace, params, predictions, readers):
        say(f"evaluate: {line}")


def _write_findings(workspace: Workspace, params: Params, predictions: list[Prediction]) -> None:
    """Write the rows' scores by schema, their differences by bucket, and what is wrong with the run."""
    folder = workspace.evaluation
    write_rows(folder / SCHEMAS_FILE, compute_schemas(predictions))

    partitions = list_partitions(params.task, workspace.read_posts("train"), workspace.read_knowledge())
    posts: dict[str, list[Post]] = {split: workspace.read_posts(split) for split in params.evaluate.splits}
    write_rows(folder / BUCKETS_FILE, compute_buckets(predictions, posts, partitions, seed=SEED))

    evidence = gather_run_evidence(workspace, params, predictions, _read_histories(workspace))
    write_rows(folder / DIAGNOSES_FILE, diagnose_run(evidence))


def _read_histories(workspace: Workspace) -> dict[str, list[dict[str, float]]]:
    """Return the training history of each model that has one."""
    folders = {
        "baseline": workspace.baseline,
        "control": workspace.control_student,
        "student": workspace.student,
        "teacher": workspace.locate_teacher(0),
    }
    files = {name: folder / "history.jsonl" for name, folder in folders.items()}
    return {name: read_history(file) for name, file in files.items() if file.is_file()}


def _write_evidence(workspace: Workspace, params: Params, student: Student, predictions: list[Prediction]) -> None:
    """Write the training posts near to each of the student's predictions, and a few explained in full.

    Those are of test, which nothing is tuned on, if it is among ``evaluate.splits`` and has posts.
    """
    splits = [split for split in SPLITS if split in params.evaluate.splits and workspace.read_posts(split)]
    own = [prediction for prediction in predictions if prediction.model == "student"]
    picks = choose_picks(predictions, splits[-1], EXPLAINED_EACH) if splits else {}
    nearest, explained = [], {}
    if own:
        training_examples = read_original_examples(workspace, params.task, "train")
        index = Neighbours.build(student, workspace.student, training_examples)
        examples = {split: read_text_examples(workspace, params.task, split) for split in splits}
        by_id = {example.id: example for example in chain.from_iterable(examples.values())}
        nearest = find_nearest_posts(index, by_id, own, NEAREST_EACH)
        explained = explain_picks(index, examples[splits[-1]], picks, NEAREST_EACH)
    write_table(workspace.evaluation / NEAREST, nearest)
    write_json(workspace.evaluation / EXPLAINED, list_explained(explained))


if __name__ == "__main__":
    main(run)
