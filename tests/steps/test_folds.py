"""Cross-fitted teachers through the steps: which posts each teacher saw, and who taught which post."""

import json
from collections import defaultdict
from functools import partial
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.records import Augmented, Kind
from cotpd.data.tables import write_table
from cotpd.evaluation.gold_errors import Evidence
from cotpd.pipeline.folds import FOLDS, load_folds
from cotpd.pipeline.gold_check import check_gold
from cotpd.pipeline.training_examples import (
    read_knowledge_examples,
    read_training_texts,
    read_unlabelled_examples,
    read_unlabelled_texts,
)
from cotpd.pipeline.workspace import Workspace
from cotpd.student import targets as targets_module
from cotpd.student.student import Student
from cotpd.student.targets import Targets, compute_soft_targets
from steps import control, teach, teachers, train
from tests.builders import build_post, build_posts, write_prepared_tables

RUN = {"epochs": 1, "device": "cpu", "bf16": "off"}
NEAR, FREE = "near", "free"  # posts without labels: one is a training post's text, the other is not


def build_distinct_post(number: int):
    markup = f"[{'abcdefghij'[number]}nn](PER) went {'klmnopqrst'[number]}ly to [{'abcdefghij'[number]}ome](LOC)"
    return build_post(markup, id=f"p{number}", relations=[(0, 1, "lives_in")])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Nine posts to learn from, two augmented, and two without labels, one of them the text of a training post."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("steps.training.TrainingCurves", lambda *_: None)  # making MLflow's database takes seconds
    posts = [build_distinct_post(number) for number in range(9)]
    bare = [posts[2].model_copy(update={"id": NEAR}), build_post("bob saw nothing of it", id=FREE)]
    bare[1] = bare[1].model_copy(update={"entities": (), "relations": ()})
    write_prepared_tables(tmp_path, {"train": posts, "valid": build_posts(4), "unlabelled": bare})
    rewrites = [
        Augmented(
            post=build_distinct_post(9).model_copy(update={"id": f"p{n}~style"}), of=f"p{n}", kind=Kind.STYLE
        )
        for n in (0, 4)
    ]
    rewrites[1] = rewrites[1].model_copy(
        update={"post": build_post("[eve](PER) x y z", id="p4~style", relations=[])}
    )
    write_table(Workspace(tmp_path).augmented / "augmented.jsonl", rewrites)
    return Workspace()


def build_params(encoder: Path, **teach_params) -> Params:
    student = {"encoder": str(encoder), "prompt_length": 0, "generator_heads": 2, "dropout": 0.0}
    return Params.model_validate(
        {
            "student": student,
            "teach": RUN | {"folds": 3} | teach_params,
            "train": RUN,
            "distil": {"way": "frozen"},
            "control": {"enabled": True},
        }
    )


@pytest.fixture
def watched(monkeypatch):
    """Records what each teacher is trained on and questions about: ids of posts by the teacher's folder."""
    saw, questions = defaultdict(set), defaultdict(set)
    train_model, ask_teacher, load = teachers.train_model, targets_module._ask_teacher, Student.from_pretrained

    def watch_training(workspace, examples, *args, out, **kwargs):
        saw[str(out)] |= {example.id for example in examples}
        train_model(workspace, examples, *args, out=out, **kwargs)

    def watch_loading(folder, *args):
        model = load(folder, *args)
        model.folder = str(folder)
        return model

    def watch_asking(teacher, examples, *args):
        questions[teacher.folder] |= {example.id for example in examples}
        return ask_teacher(teacher, examples, *args)

    monkeypatch.setattr(teachers, "train_model", watch_training)
    monkeypatch.setattr(targets_module, "_ask_teacher", watch_asking)
    monkeypatch.setattr(Student, "from_pretrained", staticmethod(watch_loading))
    return saw, questions


GROUPS = [{f"p{number}"} for number in range(9)]
GROUPS[0] |= {"p0~style"}
GROUPS[4] |= {"p4~style"}
GROUPS[2] |= {NEAR}


def find_group(name):
    return next((group for group in GROUPS if name in group), set())


@pytest.mark.parametrize("step", [teach, control])
@pytest.mark.parametrize("count", [1, 2])
def test_no_teacher_is_asked_about_a_post_that_it_or_a_relative_of_it_was_trained_on(
    encoder, project, watched, step, count
):
    saw, questions = watched

    step.run(build_params(encoder, count=count))

    assert len(saw) == len(questions) == 3 * count
    for folder, names in questions.items():
        for group in GROUPS:
            assert not (names & group and saw[folder] & group), (folder, group)
        assert FREE in names
    for group in GROUPS:
        assert sum(bool(names & group) for names in questions.values()) == count
        assert sum(bool(names & group) for names in saw.values()) == 2 * count


@pytest.mark.parametrize("step", [teach, control])
def test_each_soft_target_is_the_mean_over_the_teachers_that_never_saw_the_post(encoder, project, watched, step):
    saw, _ = watched
    params = build_params(encoder, count=2)
    step.run(params)
    read_labelled, read_bare = (
        (
            lambda: read_knowledge_examples(project, "ner", "train"),
            lambda: read_unlabelled_examples(project, "ner"),
        )
        if step is teach
        else (lambda: read_training_texts(project, "ner"), lambda: read_unlabelled_texts(project, "ner"))
    )
    examples = read_labelled() + read_bare()

    targets = Targets.load(project.targets if step is teach else project.control_targets)

    assert list(targets.rows) == [example.id for example in examples]
    for example in examples:
        folders = [folder for folder, names in saw.items() if not names & find_group(example.id)]
        assert len(folders) == (6 if example.id == FREE else 2)
        expected = compute_soft_targets(folders, [example], 1.0).rows[example.id]
        for value, mean in zip(targets.rows[example.id], expected, strict=True):
            torch.testing.assert_close(value, mean, atol=1e-5, rtol=1e-4)


def test_student_and_control_have_the_same_folds_and_train_from_them(encoder, project):
    params = build_params(encoder)

    for step in (teach, train, control):
        step.run(params)

    folds = [(folder / FOLDS).read_bytes() for folder in (project.targets, project.control_targets)]
    assert folds[0] == folds[1]
    assert (project.student / "model.safetensors").is_file()
    assert (project.control_student / "model.safetensors").is_file()


def test_the_out_of_fold_soft_targets_are_those_of_the_training_posts_and_their_relatives(encoder, project):
    teach.run(build_params(encoder))

    folds = load_folds(project.targets)

    assert set(folds.examples) == set().union(*GROUPS)
    assert folds.examples.keys() <= Targets.load(project.targets).rows.keys()
    assert folds.count == 3
    assert FREE not in folds.examples


def read_outputs(project):
    files = [*project.teachers.rglob("*"), *project.targets.rglob("*")]
    return {str(path): path.read_bytes() for path in files if path.is_file()}


def test_one_fold_is_the_same_as_none_and_takes_the_folds_of_an_earlier_run_away(encoder, project):
    teach.run(build_params(encoder, folds=0))
    before = read_outputs(project)
    teach.run(build_params(encoder, folds=3))

    teach.run(build_params(encoder, folds=1))

    assert read_outputs(project) == before
    assert not any(FOLDS in name for name in before)


def test_a_killed_step_goes_on_with_the_teachers_that_it_has(encoder, project, monkeypatch):
    params, train_model = build_params(encoder), teachers.train_model
    trained = []

    def train_two(workspace, examples, *args, out, **kwargs):
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(out)
        train_model(workspace, examples, *args, out=out, **kwargs)

    monkeypatch.setattr(teachers, "train_model", train_two)
    with pytest.raises(KeyboardInterrupt):
        teach.run(params)
    times = {path: (path / "model.safetensors").stat().st_mtime_ns for path in trained}
    monkeypatch.setattr(teachers, "train_model", train_model)

    teach.run(params)

    assert times == {path: (path / "model.safetensors").stat().st_mtime_ns for path in trained}
    assert len(load_folds(project.targets).examples) == 12


def test_another_teacher_leaves_the_earlier_ones_as_they_are(encoder, project):
    teach.run(build_params(encoder))
    before = {path: data for path, data in read_outputs(project).items() if path.endswith("model.safetensors")}

    teach.run(build_params(encoder, count=2))

    after = read_outputs(project)
    assert len(before) == 3
    assert all(after[path] == data for path, data in before.items())
    assert len([path for path in after if path.endswith("model.safetensors")]) == 6


def change_last_byte(path):
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("models/teachers/0/model.safetensors", change_last_byte),
        ("models/teachers/0/history.jsonl", lambda path: path.write_text("")),
        ("models/teachers/0/run.txt", lambda path: path.unlink()),
        ("models/teachers/0/notes.txt", lambda path: path.write_text("mine")),
        ("models/teachers/notes.txt", lambda path: path.write_text("mine")),
        ("models/teachers/.0.old/model.safetensors", lambda path: path.write_text("of a killed run")),
    ],
)
def test_whatever_is_altered_in_a_folder_that_dvc_leaves_alone_comes_back(encoder, project, name, damage):
    teach.run(build_params(encoder, folds=0))
    before = read_outputs(project)
    path = project.teachers.parent.parent / name
    path.parent.mkdir(exist_ok=True)
    damage(path)

    teach.run(build_params(encoder, folds=0))

    assert read_outputs(project) == before
    assert {path.name for path in project.teachers.iterdir()} == {"0", "teachers.json"}


@pytest.mark.slow
def test_training_labels_are_judged_by_trained_teachers_and_listed(encoder, project, monkeypatch):
    monkeypatch.setattr("cotpd.pipeline.gold_check.Evidence", partial(Evidence, least_score=0.0))
    params = build_params(encoder, epochs=8, learning_rate=1e-2, head_learning_rate=3e-2)
    teach.run(params)
    control.run(params)

    lines = list(check_gold(project, params, [], []))
    listed = CliRunner().invoke(app, ["data", "suspects", "--split", "train", "--json", "--limit", "0"])

    rows = [json.loads(line) for line in listed.output.splitlines()]
    assert f"train: {format_count(len(rows), 'suspected gold error')};" in " ".join(lines)
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    for row in rows:
        assert {*row["agreeing"]} <= row["shares"].keys() == {"teacher", "control teacher"}
        assert 0 <= row["score"] <= 1
