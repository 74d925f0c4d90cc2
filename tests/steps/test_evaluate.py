"""Which models stand in the three rows, and what the step writes about them."""

import json
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.data.records import Caption, Kind, Knowledge
from cotpd.data.tables import write_json, write_table
from cotpd.student import Student
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.persistence import build_model
from cotpd.student.views import View
from steps.common import AUGMENTED, BASELINE, EVALUATION, METRICS, PREPARED, SCORES, STUDENT, TEACHERS, VALIDATED
from steps.evaluate import run, systems
from tests.student.conftest import make_posts


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


def rows() -> list[tuple[str, str]]:
    return [(system.row, system.view) for system in systems()]


def test_a_student_trained_in_both_views_is_its_own_knowledge_view(save):
    save(BASELINE, "text")
    save(STUDENT, "prompt", "knowledge")
    save(TEACHERS / "0", "knowledge")
    assert rows() == [("baseline", "text"), ("student", "prompt"), ("knowledge", "knowledge")]
    assert systems()[2].model.views == ("prompt", "knowledge")


@pytest.mark.parametrize("view", ["prompt", "text"])
def test_a_student_of_a_frozen_teacher_is_read_in_its_own_view_and_the_teacher_with_knowledge(save, view):
    save(BASELINE, "text")
    save(STUDENT, view)
    save(TEACHERS / "0", "knowledge")
    save(TEACHERS / "1", "knowledge")
    assert rows() == [("baseline", "text"), ("student", view), ("knowledge", "knowledge")]
    assert systems()[2].model.views == ("knowledge",)


def test_without_a_teacher_the_knowledge_view_is_left_out_and_it_is_said(save, capsys):
    save(BASELINE, "text")
    save(STUDENT, "prompt")
    assert rows() == [("baseline", "text"), ("student", "prompt")]
    assert "knowledge view is not scored" in capsys.readouterr().err


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the steps before have written: twelve posts to learn from and six to be tested on."""
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    posts = make_posts(18)
    write_table(PREPARED / "train.jsonl", posts[:12])
    write_table(PREPARED / "test.jsonl", posts[12:])
    write_table(VALIDATED / "captions.jsonl", [Caption(id="p0", image="a", caption="a tower", backend="tags")])
    said = [Knowledge(id=post.id, kind=Kind.NOUN, text="<b>acme</b> is a firm") for post in posts]
    write_table(VALIDATED / "knowledge.jsonl", said)
    write_table(AUGMENTED / "augmented.jsonl", [])
    write_json(AUGMENTED / "counts.json", {})
    for folder in (PREPARED, VALIDATED, AUGMENTED):
        write_table(folder / "quarantine.jsonl", [])


@pytest.mark.parametrize("teacher", [True, False])
def test_the_step_scores_what_is_there_and_explains_some_predictions(save, tables, teacher):
    save(BASELINE, "text")
    save(STUDENT, "prompt")
    if teacher:
        save(TEACHERS / "0", "knowledge")
    run(Params())
    metrics = json.loads(METRICS.read_text("utf-8"))
    assert list(metrics) == ["test"]  # there is no valid split
    assert ("knowledge" in metrics["test"]) == teacher
    assert {key for row in metrics["test"].values() for key in row} == {"f1"}  # what `dvc metrics diff` shows
    scores = json.loads(SCORES.read_text("utf-8"))
    assert scores["test"]["student"]["f1"] == metrics["test"]["student"]["f1"]
    assert {"precision", "recall", "per_type"} <= set(scores["test"]["student"])
    page = (EVALUATION / "report.html").read_text("utf-8")
    assert "What stands behind a prediction" in page
    assert "&lt;b&gt;acme&lt;/b&gt; is a firm" in page
    assert "rgba(245,158,11" in page
