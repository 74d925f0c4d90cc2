"""The teach step, as far as it says no; what it makes is tested with the pipeline."""

from types import SimpleNamespace

import pytest

import steps
from cotpd.config import Params
from cotpd.data.tables import write_json
from cotpd.errors import ModelError
from cotpd.pipeline.folds import FOLDS
from cotpd.pipeline.workspace import Workspace
from steps import teach, teachers, training


def test_a_teacher_that_cannot_be_had_is_told_before_any_is_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "data/prepared/summary.json", {"types": ["PER", "LOC"]})
    (tmp_path / "empty").mkdir()
    taught = {"distil": {"way": "frozen"}, "teach": {"others": [{"encoder": "empty"}]}}

    with pytest.raises(ModelError, match=r"encoder empty: .*\n?.*cotpd models list"):
        teach.run(Params.model_validate(taught))
    assert not list((tmp_path / "models/teachers").glob("*/"))


def test_without_a_teacher_no_folder_is_empty_so_that_dvc_has_nothing_to_warn_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/teachers/0").mkdir(parents=True)
    (tmp_path / "data/targets").mkdir(parents=True)
    (tmp_path / "data/targets" / FOLDS).write_text("{}")

    teach.run(Params())

    assert [path.name for path in (tmp_path / "models/teachers").iterdir()] == ["teachers.json"]
    assert [path.name for path in (tmp_path / "data/targets").iterdir()] == ["teachers.json"]


def test_teachers_keep_all_layers_when_the_student_has_fewer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "data/prepared/summary.json", {"types": ["PER", "LOC"]})
    layers = []
    monkeypatch.setattr(teachers, "build_model", lambda student, _: layers.append(student.layers))
    monkeypatch.setattr(teachers, "train_model", lambda *given, **_: layers.append(given[3].student.layers))
    params = Params.model_validate({"student": {"layers": 2}, "distil": {"way": "frozen"}})

    teachers.require_encoders(Workspace(), params)
    teachers.train_teachers(
        Workspace(), [], [], params, folds=None, view="knowledge", folder=tmp_path / "teachers"
    )

    assert layers == [None, None]


@pytest.mark.parametrize(("is_watched", "lines"), [(False, 1), (True, 0)])
def test_an_encoder_in_a_folder_that_dvc_does_not_watch_is_named_with_the_line_to_add(
    tmp_path, monkeypatch, capsys, is_watched, lines
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    monkeypatch.setattr(steps, "RUN", SimpleNamespace(is_watched=lambda _folder: is_watched))
    training.warn_of_unwatched_encoder.cache_clear()

    training.warn_of_unwatched_encoder("mine")
    training.warn_of_unwatched_encoder("bert-base-uncased")

    printed = capsys.readouterr().err
    assert printed.count('add - "mine" to the stage') == lines
    training.warn_of_unwatched_encoder.cache_clear()
