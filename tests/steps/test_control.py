"""The control: what it is trained on, what it costs when it is off, and the row that it adds."""

import json
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.pipeline.workspace import Workspace
from cotpd.student import Student
from cotpd.student.batches import collate
from steps import baseline, control, evaluate, teach, train
from tests.builders import build_posts, write_prepared_tables

RUN = {"epochs": 1, "device": "cpu", "bf16": "off"}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Twelve posts to learn from, six to be tested on and six without labels, all with knowledge."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    posts = build_posts(24)
    write_prepared_tables(tmp_path, {"train": posts[:12], "test": posts[12:18], "unlabelled": posts[18:]})
    return Workspace()


def build_params(encoder: Path, distillation: str, *, enabled: bool = True) -> Params:
    student = {"encoder": str(encoder), "prompt_length": 2, "generator_heads": 2, "dropout": 0.0}
    return Params.model_validate(
        {
            "student": student,
            "baseline": RUN,
            "teach": RUN | {"count": 2},
            "train": RUN,
            "distil": {"way": distillation},
            "control": {"enabled": enabled},
            "evaluate": {"device": "cpu"},
        }
    )


@pytest.mark.parametrize("distillation", ["frozen", "joint"])
def test_the_control_is_scored_beside_the_student_with_what_the_knowledge_is_worth(encoder, project, distillation):
    params = build_params(encoder, distillation)

    for step in (baseline, teach, train, control, evaluate):
        step.run(params)

    metrics = json.loads(project.metrics.read_text("utf-8"))["test"]
    assert set(metrics) == {"baseline", "control", "student", "knowledge", "gain", "knowledge_gain"}
    page = project.report.read_text("utf-8")
    assert "control (no knowledge)" in page
    assert "what the knowledge itself is worth" in page


@pytest.mark.parametrize("distillation", ["frozen", "joint"])
def test_the_control_never_meets_knowledge(encoder, project, distillation, monkeypatch):
    lengths: set[int] = set()

    def watch(examples, view, example_encoder):
        lengths.update(len(example.knowledge) for example in examples)
        return collate(examples, view, example_encoder)

    for module in ("objectives", "targets", "student"):
        monkeypatch.setattr(f"cotpd.student.{module}.collate", watch)

    control.run(build_params(encoder, distillation))

    assert lengths == {0}


def test_the_control_of_frozen_teachers_has_as_many_that_read_the_text_and_learns_on_the_same_posts(
    encoder, project
):
    params = build_params(encoder, "frozen")

    teach.run(params)
    control.run(params)

    teachers = [Student.from_pretrained(project.control_teachers / str(number)) for number in (0, 1)]
    assert {teacher.views for teacher in teachers} == {("text",)}
    folders = (project.targets, project.control_targets)
    first, second = (json.loads((folder / "targets.json").read_text("utf-8"))["examples"] for folder in folders)
    assert first == second
    assert len(first) == 18


def test_switched_off_it_trains_nothing_and_removes_the_row(encoder, project, capsys):
    control.run(build_params(encoder, "frozen"))

    control.run(build_params(encoder, "frozen", enabled=False))

    assert [path.name for path in project.control.iterdir()] == ["control.json"]
    assert "control.enabled: false" in capsys.readouterr().err


def test_joint_training_leaves_no_teacher_of_an_earlier_control_behind(encoder, project):
    control.run(build_params(encoder, "frozen"))

    control.run(build_params(encoder, "joint"))

    assert {path.name for path in project.control.iterdir()} == {"control.json", "student"}


def test_a_control_that_is_there_already_is_not_trained_again(encoder, project, capsys):
    params = build_params(encoder, "frozen")
    control.run(params)
    before = (project.control_student / "model.safetensors").stat().st_mtime_ns

    control.run(params)

    assert (project.control_student / "model.safetensors").stat().st_mtime_ns == before
