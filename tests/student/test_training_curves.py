"""TrainingCurves in MLflow: drawn while training, taken up again after a kill, and never in a training's way."""

import shutil
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from cotpd.liveness import name_process
from cotpd.pipeline.registration import read_fingerprints
from cotpd.registry import training_curves
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect, get_or_create_experiment
from cotpd.registry.training_curves import FINGERPRINT, TrainingCurves, adopt_runs
from cotpd.registry.unfinished_runs import LAST_SEEN, PROCESS
from cotpd.student import Student
from cotpd.student.checkpoint import Checkpoint
from cotpd.student.objectives import JointDistillation
from cotpd.student.params import DistilParams
from cotpd.student.training import train

NAME = "from cotpd.liveness import name_process; print(name_process())"


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
        curves=TrainingCurves(store or RegisterParams(), "student", {"run": params}, project),
    )


def list_runs(client: MlflowClient):
    return client.search_runs([client.get_experiment_by_name("cotpd").experiment_id])


def test_a_killed_training_goes_on_in_its_run_and_the_registered_one_adopts_it(
    project, ner_examples, small, brief, monkeypatch
):
    monkeypatch.setattr(Student, "save", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    params = brief.model_copy(update={"epochs": 4})
    with pytest.raises(KeyboardInterrupt):
        fit(project, ner_examples, small, params)
    client = connect(RegisterParams(), project)
    (killed,) = list_runs(client)
    assert killed.info.status == "KILLED"
    monkeypatch.undo()
    history = fit(project, ner_examples, small, params)
    (resumed,) = list_runs(client)
    assert (resumed.info.run_id, resumed.info.status) == (killed.info.run_id, "FINISHED")
    assert resumed.data.params["run.epochs"] == "4"
    drawn = client.get_metric_history(resumed.info.run_id, "valid/prompt/f1")
    assert [point.value for point in drawn] == [row["valid"]["prompt"]["f1"] for row in history]
    losses = client.get_metric_history(resumed.info.run_id, "epoch/loss")
    assert [(point.step, point.value) for point in losses] == [(row["epoch"], row["loss"]) for row in history]
    assert [point.step for point in client.get_metric_history(resumed.info.run_id, "step/kl")] == [10]
    parent = client.create_run(resumed.info.experiment_id).info.run_id
    fingerprints = read_fingerprints([project / "student", project / "none"])
    tags = adopt_runs(client, resumed.info.experiment_id, parent, fingerprints)
    assert tags == {"training.student": resumed.info.run_id}
    assert client.get_run(resumed.info.run_id).data.tags["mlflow.parentRunId"] == parent


@pytest.mark.parametrize(("error", "status"), [(OSError("disk full"), "FAILED"), (SystemExit(143), "KILLED")])
def test_a_run_ends_as_its_training_does(project, ner_examples, small, brief, monkeypatch, error, status):
    monkeypatch.setattr(Student, "save", lambda *a, **k: (_ for _ in ()).throw(error))

    with pytest.raises(type(error)):
        fit(project, ner_examples, small, brief)

    (run,) = list_runs(connect(RegisterParams(), project))
    assert run.info.status == status


def test_the_next_training_closes_a_run_whose_process_was_killed_and_no_other(project, ner_examples, small, brief):
    client = connect(RegisterParams(), project)
    experiment = get_or_create_experiment(client, "cotpd")
    ended = subprocess.run([sys.executable, "-c", NAME], capture_output=True, text=True, check=True, timeout=60)
    dead = client.create_run(experiment, tags={FINGERPRINT: "0", PROCESS: ended.stdout.strip()})
    alive = client.create_run(experiment, tags={FINGERPRINT: "1", PROCESS: name_process()})
    foreign = client.create_run(experiment, tags={FINGERPRINT: "2"})
    elsewhere = {PROCESS: "elsewhere:1:2-3"}
    silent = client.create_run(
        experiment, tags={FINGERPRINT: "3", **elsewhere, LAST_SEEN: str(int(time.time()) - 7200)}
    )
    seen = client.create_run(
        experiment, tags={FINGERPRINT: "4", **elsewhere, LAST_SEEN: str(int(time.time()) - 60)}
    )

    fit(project, ner_examples, small, brief)

    status = {run.info.run_id: run.info.status for run in list_runs(client)}
    assert [status[run.info.run_id] for run in (dead, silent)] == ["KILLED", "KILLED"]
    assert [status[run.info.run_id] for run in (alive, foreign, seen)] == ["RUNNING"] * 3


def test_a_kill_between_the_saved_model_and_the_end_leaves_neither_run_nor_checkpoint(
    project, ner_examples, small, brief, monkeypatch
):
    with monkeypatch.context() as killed:
        killed.setattr(Checkpoint, "clear", lambda self: None)
        killed.setattr(TrainingCurves, "end", lambda self, status="": None)
        fit(project, ner_examples, small, brief)
    (project / ".student.resume.part").mkdir()
    assert (project / ".student.resume").is_dir()

    history = fit(project, ner_examples, small, brief)

    assert len(history) == brief.epochs
    assert not list(project.glob(".student.*"))
    (run,) = list_runs(connect(RegisterParams(), project))
    assert run.info.status == "FINISHED"


def test_a_store_that_is_broken_costs_the_curves_and_not_the_training(project, ner_examples, small, brief, capsys):
    (project / "mlflow.db").write_bytes(b"not a database, but long enough to look at" * 100)
    history = fit(project, ner_examples, small, brief)
    assert len(history) == 2
    assert Student.from_pretrained(project / "student", "cpu")
    assert capsys.readouterr().err.count("warning: student goes on without curves in MLflow") == 1


def test_a_store_that_breaks_on_the_way_too(project, ner_examples, small, brief, capsys, monkeypatch):
    def raise_full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(MlflowClient, "log_batch", raise_full)
    assert len(fit(project, ner_examples, small, brief)) == 2
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    assert warnings == ["warning: student goes on without curves in MLflow: No space left on device"]


def test_the_lock_of_another_user_of_this_machine_is_in_nobodys_way(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(training_curves.os, "getuid", lambda: 1)
    first = training_curves._lock_store("http://mlflow.example")
    monkeypatch.setattr(training_curves.os, "getuid", lambda: 2)
    second = training_curves._lock_store("http://mlflow.example")

    with first, second.acquire(timeout=0):
        assert second.is_locked
