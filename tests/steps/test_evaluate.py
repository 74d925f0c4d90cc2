"""Which models stand in the three rows: joint training, a frozen teacher, and no knowledge view at all."""

from pathlib import Path

import pytest

from cotpd.config import StudentParams
from cotpd.student import Student
from cotpd.student.labels import LabelSet
from cotpd.student.persistence import build
from cotpd.student.views import View
from steps.common import BASELINE, STUDENT, TEACHERS
from steps.evaluate import systems


@pytest.fixture
def save(encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes an untrained model that reads certain views into a folder of an empty project."""
    monkeypatch.chdir(tmp_path)

    def write(folder: Path, *views: View) -> None:
        params = StudentParams(
            encoder=str(encoder), prompt_length=2 if "prompt" in views else 0, generator_heads=2
        )
        model, tokenizer, reads = build(params, LabelSet.of("ner", ("LOC", "PER")))
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
