"""A registration that fails or is killed leaves nothing that the next one does not clear."""

import signal
import subprocess
import sys
import tempfile

import pytest

from cotpd.errors import ModelError
from cotpd.pipeline.registration import register_student
from cotpd.registry import new_version
from cotpd.registry.tracking_store import connect
from cotpd.registry.versions import list_versions

METRICS = {"test": {"student": {"f1": 0.5}}}
# Registers a student, and is killed where a point of the registration is reached.
KILLED = """
import os, signal, sys
from pathlib import Path
from cotpd.config import Params
from cotpd.pipeline.registration import register_student
from cotpd.registry import new_version
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
where, student = sys.argv[1:]
if where == "upload":
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
    copy = LocalArtifactRepository.log_artifacts
    def half(self, folder, path=None):
        copy(self, folder, path)
        if "models" in self.artifact_dir: die()
    LocalArtifactRepository.log_artifacts = half
if where == "before the version":
    new_version._create_version = die
if where == "after the version":
    make = new_version._create_version
    new_version._create_version = lambda *a: (make(*a), die())
register_student(Params(task="ner"), Path(student), {"test": {"student": {"f1": 0.5}}}, root=Path())
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files, in this process and in those that it starts."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def list_runs(client):
    return {
        run.info.run_id: run for run in client.search_runs([client.get_experiment_by_name("cotpd").experiment_id])
    }


def list_models(client):
    return client.search_logged_models([client.get_experiment_by_name("cotpd").experiment_id])


def list_weights(project):
    return list((project / "mlruns").rglob("*.safetensors"))


def kill(project, students, where):
    process = subprocess.run(
        [sys.executable, "-c", KILLED, where, str(students["ner"])], cwd=project, check=False, timeout=120
    )
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("where", ["upload", "before the version"])
def test_a_killed_registration_is_cleared_by_the_next_one(project, params, students, temporary, where):
    kill(project, students, where)
    client = connect(params["ner"].register_, project)
    (killed,) = list_runs(client)
    assert list_runs(client)[killed].info.status == "RUNNING"
    assert len(list_models(client)) == len(list_weights(project)) == 1
    assert where != "upload" or list(temporary.glob("cotpd-register-*"))

    registered = register_student(params["ner"], students["ner"], METRICS, root=project)

    status = {number: run.info.status for number, run in list_runs(client).items()}
    assert status == {killed: "KILLED", registered.run_id: "FINISHED"}
    assert [model.source_run_id for model in list_models(client)] == [registered.run_id]
    assert len(list_weights(project)) == 1
    assert not list(temporary.glob("cotpd-register-*"))


def test_a_version_whose_registration_was_killed_afterwards_stays(project, params, students, temporary):
    kill(project, students, "after the version")
    client = connect(params["ner"].register_, project)
    (killed,) = list_runs(client)

    register_student(params["ner"], students["ner"], METRICS, root=project)

    assert list_runs(client)[killed].info.status == "FINISHED"
    assert [version.number for version in list_versions(client, "cotpd-ner")] == [1, 2]
    assert len(list_models(client)) == len(list_weights(project)) == 2


@pytest.mark.parametrize(("error", "status"), [(ModelError("refused"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_registration_that_fails_clears_its_own_model(
    project, params, students, temporary, monkeypatch, error, status
):
    monkeypatch.setattr(new_version, "_create_version", lambda *_: (_ for _ in ()).throw(error))

    with pytest.raises(type(error)):
        register_student(params["ner"], students["ner"], METRICS, root=project)

    client = connect(params["ner"].register_, project)
    (run,) = list_runs(client).values()
    assert run.info.status == status
    assert list_models(client) == []
    assert list_weights(project) == []
    assert tempfile.gettempdir() == str(temporary)
    assert list(temporary.iterdir()) == []


def test_what_others_left_unfinished_is_not_touched(project, params, students, temporary):
    client = connect(params["ner"].register_, project)
    first = register_student(params["ner"], students["ner"], METRICS, root=project)
    experiment = client.get_experiment_by_name("cotpd").experiment_id
    foreign = client.create_run(experiment).info.run_id
    pending = client.create_logged_model(experiment, name="theirs", source_run_id=foreign)
    alive = client.create_run(experiment, tags=pack_tags()).info.run_id
    under_way = client.create_logged_model(experiment, name="student", source_run_id=alive)

    register_student(params["ner"], students["ner"], METRICS, root=project)

    assert {list_runs(client)[number].info.status for number in (foreign, alive)} == {"RUNNING"}
    assert {pending.model_id, under_way.model_id} <= {model.model_id for model in list_models(client)}
    assert first.run_id in {model.source_run_id for model in list_models(client)}


def pack_tags():
    """The tags of a registration that this very process has under way."""
    from cotpd.registry.leftovers import REGISTRATION
    from cotpd.registry.unfinished_runs import build_process_tags

    return {REGISTRATION: "cotpd-ner"} | build_process_tags()
