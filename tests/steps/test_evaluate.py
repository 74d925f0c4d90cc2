"""Which models stand in the three rows, and what the step writes about them."""

import json
import re
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.data import tables as tables_module
from cotpd.data.records import Caption, Kind, Knowledge
from cotpd.data.tables import read_table, write_json, write_table
from cotpd.evaluation.buckets import BUCKETS_FILE, BucketRow
from cotpd.evaluation.diagnoses import DIAGNOSES_FILE, Diagnosis
from cotpd.evaluation.intervals import IntervalRow
from cotpd.evaluation.json_rows import read_rows
from cotpd.evaluation.schemas import SCHEMAS_FILE, SchemaRow
from cotpd.pipeline.workspace import Workspace
from cotpd.student import Student
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.persistence import build_model
from cotpd.student.views import View
from steps.evaluate import load_systems, run
from tests.builders import build_posts

WORKSPACE = Workspace()


@pytest.fixture
def save(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes an untrained model that reads certain views into a folder of an empty project."""
    monkeypatch.chdir(tmp_path)

    def write(folder: Path, *views: View) -> None:
        params = StudentParams(
            encoder=str(encoder), prompt_length=2 if "prompt" in views else 0, generator_heads=2
        )
        model, tokenizer, reads = build_model(params, LabelSet.build("ner", ("LOC", "ORG", "PER")))
        Student(model, tokenizer, params, views, reads, "cpu").save(folder)

    return write


def list_systems() -> list[tuple[str, str]]:
    return [(system.row, system.view) for system in load_systems(Workspace())]


def test_a_student_trained_in_both_views_is_its_own_knowledge_view(save):
    save(WORKSPACE.baseline, "text")
    save(WORKSPACE.student, "prompt", "knowledge")
    save(WORKSPACE.locate_teacher(0), "knowledge")

    assert list_systems() == [("baseline", "text"), ("student", "prompt"), ("knowledge", "knowledge")]
    assert load_systems(Workspace())[2].model.views == ("prompt", "knowledge")


@pytest.mark.parametrize("view", ["prompt", "text"])
def test_a_student_of_a_frozen_teacher_is_read_in_its_own_view_and_the_teacher_with_knowledge(save, view):
    save(WORKSPACE.baseline, "text")
    save(WORKSPACE.student, view)
    save(WORKSPACE.locate_teacher(0), "knowledge")
    save(WORKSPACE.locate_teacher(1), "knowledge")

    assert list_systems() == [("baseline", "text"), ("student", view), ("knowledge", "knowledge")]
    assert load_systems(Workspace())[2].model.views == ("knowledge",)


def test_without_a_teacher_the_knowledge_view_is_left_out_and_the_user_is_told(save, capsys):
    save(WORKSPACE.baseline, "text")
    save(WORKSPACE.student, "prompt")

    assert list_systems() == [("baseline", "text"), ("student", "prompt")]
    assert "knowledge view is not scored" in capsys.readouterr().err


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the steps before have written: twelve posts to learn from and six to be tested on."""
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    posts = build_posts(18)
    write_table(WORKSPACE.locate_posts("train"), posts[:12])
    write_table(WORKSPACE.locate_posts("test"), posts[12:])
    write_table(
        WORKSPACE.validated / "captions.jsonl", [Caption(id="p0", image="a", caption="a tower", backend="tags")]
    )
    knowledge = [Knowledge(id=post.id, kind=Kind.NOUN, text="<b>acme</b> is a firm") for post in posts]
    write_table(WORKSPACE.validated / "knowledge.jsonl", knowledge)
    write_table(WORKSPACE.augmented / "augmented.jsonl", [])
    write_json(WORKSPACE.augmented / "counts.json", {})
    for folder in (WORKSPACE.prepared, WORKSPACE.validated, WORKSPACE.augmented):
        write_table(folder / "quarantine.jsonl", [])


@pytest.mark.parametrize("teacher", [True, False])
def test_the_step_scores_what_is_there_and_explains_some_predictions(save, tables, teacher):
    save(WORKSPACE.baseline, "text")
    save(WORKSPACE.student, "prompt")
    if teacher:
        save(WORKSPACE.locate_teacher(0), "knowledge")

    run(Params())

    metrics = json.loads(WORKSPACE.metrics.read_text("utf-8"))
    assert list(metrics) == ["test"]  # there is no valid split
    assert ("knowledge" in metrics["test"]) == teacher
    assert all(set(row) == {"f1"} for row in metrics["test"].values())  # what `dvc metrics diff` shows
    scores = json.loads(WORKSPACE.scores.read_text("utf-8"))
    assert scores["test"]["student"]["f1"] == metrics["test"]["student"]["f1"]
    assert {"precision", "recall", "per_type"} <= set(scores["test"]["student"])
    intervals = read_table(WORKSPACE.intervals, IntervalRow)
    rows = {(row.model, row.part, row.name): row for row in intervals}
    assert rows["student", "all", ""].f1 == scores["test"]["student"]["f1"]
    assert rows["student", "slice", "no picture"].support == rows["student", "all", ""].support  # none has one
    assert ("student", "slice", "unseen mentions") not in rows  # the training posts have the same names
    page = (WORKSPACE.evaluation / "report.html").read_text("utf-8")
    assert "What stands behind a prediction" in page
    assert "&lt;b&gt;acme&lt;/b&gt; is a firm" in page
    assert re.search(r'class="w[1-9]', page)  # the words that the prompt queries attend to


@pytest.mark.parametrize("teacher", [True, False])
def test_the_step_writes_buckets_and_schemas_of_what_it_scored(save, tables, teacher):
    save(WORKSPACE.baseline, "text")
    save(WORKSPACE.student, "prompt")
    if teacher:
        save(WORKSPACE.locate_teacher(0), "knowledge")

    run(Params())

    buckets = read_rows(WORKSPACE.evaluation / BUCKETS_FILE, BucketRow)
    rows = {("test", "student"), *[("test", "knowledge")] * teacher}
    assert {(bucket.split, bucket.row) for bucket in buckets} == rows
    assert isinstance(read_rows(WORKSPACE.evaluation / DIAGNOSES_FILE, Diagnosis), list)
    schemas = {(row.row, row.schema_): row.f1 for row in read_rows(WORKSPACE.evaluation / SCHEMAS_FILE, SchemaRow)}
    scores = json.loads(WORKSPACE.scores.read_text("utf-8"))
    assert schemas["student", "strict"] == pytest.approx(100 * scores["test"]["student"]["f1"], abs=0.006)


def test_predictions_of_test_are_explained_in_whichever_order_the_splits_are_named(save, tables):
    save(WORKSPACE.baseline, "text")
    save(WORKSPACE.student, "prompt")
    posts = build_posts(18)
    write_table(
        WORKSPACE.locate_posts("valid"), [post.model_copy(update={"id": f"v{post.id}"}) for post in posts[12:]]
    )

    run(Params.model_validate({"evaluate": {"splits": ["test", "valid"]}}))

    groups = json.loads((WORKSPACE.evaluation / "explained.json").read_text("utf-8"))
    shown = list(chain.from_iterable(group["predictions"] for group in groups))
    assert shown
    assert not any(prediction["id"].startswith("v") for prediction in shown)


def test_the_step_reads_each_table_once(save, tables, monkeypatch):
    save(WORKSPACE.baseline, "text")
    save(WORKSPACE.student, "prompt", "knowledge")
    reads: Counter[str] = Counter()
    iterate = tables_module.iterate_table

    def count_and_iterate(path, record):
        reads[Path(path).as_posix()] += 1
        return iterate(path, record)

    monkeypatch.setattr(tables_module, "iterate_table", count_and_iterate)
    run(Params())

    assert reads["data/prepared/test.jsonl"] == 1
    assert set(reads.values()) == {1}
