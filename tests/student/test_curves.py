"""Curves in MLflow: drawn while training, taken up again after a kill, and never in a training's way."""

import shutil

import pytest
from mlflow import MlflowClient

from cotpd.config import DistilParams, RegisterParams
from cotpd.models.store import connect
from cotpd.student import Student
from cotpd.student.curves import Curves, adopt_runs
from cotpd.student.objectives import JointDistillation
from cotpd.student.training import train


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    connect(RegisterParams(), folder, create=True)
    return folder / "mlflow.db"


@pytest.fixture
def project(database, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(database, tmp_path / "mlflow.db")
    return tmp_path


def fit(project, examples, small, params, store=None):
    return train(
        examples,
        examples,
        task="ner",
        types=["PER", "LOC", "ORG"],
        student=small,
        params=params,
        objective=JointDistillation(DistilParams()),
        seed=3,
        out=project / "student",
        curves=Curves(store or RegisterParams(), "student", {"run": params}, project),
    )


def runs(client: MlflowClient):
    return client.search_runs([client.get_experiment_by_name("cotpd").experiment_id])


def test_a_killed_training_goes_on_in_its_run_and_the_registered_one_adopts_it(
    project, ner_examples, small, brief, monkeypatch
):
    monkeypatch.setattr(Student, "save", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    params = brief.model_copy(update={"epochs": 4})
    with pytest.raises(KeyboardInterrupt):
        fit(project, ner_examples, small, params)
    client = connect(RegisterParams(), project)
    (killed,) = runs(client)
    assert killed.info.status == "RUNNING"
    monkeypatch.undo()
    history = fit(project, ner_examples, small, params)
    (found,) = runs(client)
    assert (found.info.run_id, found.info.status) == (killed.info.run_id, "FINISHED")
    assert found.data.params["run.epochs"] == "4"
    drawn = client.get_metric_history(found.info.run_id, "valid/prompt/f1")
    assert [one.value for one in drawn] == [row["valid"]["prompt"]["f1"] for row in history]
    losses = client.get_metric_history(found.info.run_id, "epoch/loss")
    assert [(one.step, one.value) for one in losses] == [(row["epoch"], row["loss"]) for row in history]
    assert [one.step for one in client.get_metric_history(found.info.run_id, "step/kl")] == [10]
    parent = client.create_run(found.info.experiment_id).info.run_id
    folders = [project / "student", project / "none"]
    tags = adopt_runs(client, found.info.experiment_id, parent, folders)
    assert tags == {"training.student": found.info.run_id}
    assert client.get_run(found.info.run_id).data.tags["mlflow.parentRunId"] == parent


def test_a_store_that_is_broken_costs_the_curves_and_not_the_training(project, ner_examples, small, brief, capsys):
    (project / "mlflow.db").write_bytes(b"not a database, but long enough to look at" * 100)
    history = fit(project, ner_examples, small, brief)
    assert len(history) == 2
    assert Student.from_pretrained(project / "student", "cpu")
    assert capsys.readouterr().err.count("warning: student goes on without curves in MLflow") == 1


def test_a_store_that_breaks_on_the_way_too(project, ner_examples, small, brief, capsys, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(MlflowClient, "log_batch", full)
    assert len(fit(project, ner_examples, small, brief)) == 2
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert warnings == ["warning: student goes on without curves in MLflow: No space left on device"]
