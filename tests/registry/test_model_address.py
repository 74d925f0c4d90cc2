"""From a model's name to its folder: versions, aliases, runs, folders, and stores that are not there."""

import shutil
from pathlib import Path

import pytest

from cotpd.errors import ConfigError, ModelError
from cotpd.pipeline.registration import register_student
from cotpd.registry import model_address
from cotpd.registry.model_address import find_student_folder
from cotpd.student import Student

METRICS = {"test": {"student": {"f1": 0.5}}}


@pytest.fixture
def version(project, params, students):
    """The first version of the tiny student, in the registry of the current folder, with params.yaml beside it."""
    (project / "params.yaml").write_text("register: {tracking_uri: 'sqlite:///mlflow.db'}\n")
    return register_student(params["ner"], students["ner"], METRICS, root=project)


def read_weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "name", ["models:/cotpd-ner@challenger", "models:/cotpd-ner/1", "runs:/{run}/student", "runs:/{run}"]
)
def test_every_way_to_name_a_registered_student_gives_its_bytes(version, students, name):
    folder = find_student_folder(name.format(run=version.run_id))
    assert read_weights(folder) == read_weights(students["ner"])
    assert "mlruns" in folder.parts  # the store's own folder: nothing was copied


def test_a_student_is_loaded_by_its_address(version, students):
    student = Student.from_pretrained("models:/cotpd-ner@challenger", "cpu")
    [mentions] = student.predict(["Ada works for Acme in Rome"])
    assert [(mention.text, mention.type) for mention in mentions] == [("Ada", "PER"), ("Acme", "ORG")]


def test_a_folder_logged_by_hand_is_found_below_its_run(version, project, students):
    import mlflow

    from cotpd.registry.tracking_store import connect, read_store_params, use_store

    client = connect(read_store_params(project), project)
    with (
        use_store(client),
        mlflow.start_run(experiment_id=client.get_run(version.run_id).info.experiment_id) as run,
    ):
        mlflow.log_artifacts(str(students["ner"]), "mine")
    assert read_weights(find_student_folder(f"runs:/{run.info.run_id}/mine")) == read_weights(students["ner"])


def test_what_a_server_keeps_is_copied_into_the_cache_once(version, project, students, monkeypatch):
    monkeypatch.setenv("COTPD_CACHE", str(project / "cache"))
    remote = "cotpd-test://store/model"

    def download(location, dst_path, tracking_uri):
        assert location == remote
        downloads.append(location)
        return shutil.copytree(project / "mlruns", Path(dst_path) / "artifacts", dirs_exist_ok=True)

    downloads: list[str] = []
    monkeypatch.setattr("mlflow.artifacts.download_artifacts", download)
    client = type("Client", (), {"tracking_uri": "https://store"})()
    first, second = (model_address._fetch_artifacts(client, remote) for _ in range(2))
    assert first == second
    assert first.is_relative_to(project / "cache")
    assert list(first.rglob("model.safetensors"))
    assert downloads == [remote]
    assert not list(first.parent.glob(f"{first.name}.?*[!k]"))  # no half copies beside it, only the lock


def test_the_store_is_that_of_the_environment_then_of_params_yaml(
    version, project, students, tmp_path_factory, monkeypatch
):
    monkeypatch.chdir(tmp_path_factory.mktemp("away"))
    name = "models:/cotpd-ner@challenger"
    with pytest.raises(ModelError, match=r"no registry is named.*no params\.yaml\n.*MLFLOW_TRACKING_URI="):
        find_student_folder(name)
    assert find_student_folder(name, root=project).is_dir()
    Path("params.yaml").write_text("register: {tracking_uri: 'sqlite:///other.db'}\n")
    with pytest.raises(ModelError, match=r"other\.db: there is no registry here"):
        find_student_folder(name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")
    assert find_student_folder(name).is_dir()
    assert not Path("mlflow.db").exists()


def test_a_broken_params_yaml_is_named_and_not_passed_over(version, project):
    (project / "params.yaml").write_text("register: {tracking: 3}\n")
    with pytest.raises(ConfigError, match="did you mean tracking_uri"):
        find_student_folder("models:/cotpd-ner@challenger")


def test_what_is_not_there_is_named_with_what_is(version):
    for model, message in [
        ("models:/cotpd-ner@champion", r"'champion'\n.*challenger, 1"),
        ("models:/cotpd-ner/7", r"'7'\n.*challenger, 1"),
        ("models:/other@challenger", r"no registered model other\n.*Registered: cotpd-ner"),
        ("models:/cotpd-ner", r"Write models:/NAME@ALIAS"),
        ("runs:/0123456789abcdef", r"0123456789abcdef.*not found"),
        (f"runs:/{version.run_id}/elsewhere", r"elsewhere is not there"),
        ("models/nowhere", r"models/nowhere: there is no such folder"),
        ("s3://bucket/student", r"s3://bucket/student: there is no such folder"),
        ("", r"'': there is no such folder"),
        ("mlflow.db", r"mlflow.db: a file, and no folder"),
    ]:
        with pytest.raises(ModelError, match=message) as caught:
            find_student_folder(model)
        assert caught.value.remedy


def test_files_that_are_gone_are_got_back_by_registering_again(version, project):
    shutil.rmtree(project / "mlruns")
    with pytest.raises(ModelError, match=r"dvc repro"):
        find_student_folder("models:/cotpd-ner@challenger")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://127.0.0.1:9", "does not answer"),
        ("./mlruns", "maintenance mode"),
        ("nonsense://there", "nonsense"),
        ("mssql+pymssql://u@127.0.0.1:9/x", "pymssql"),
    ],
)
def test_a_store_that_cannot_be_asked_is_an_error_with_a_remedy(project, monkeypatch, uri, message):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ModelError, match=message) as caught:
        find_student_folder("models:/cotpd-ner@challenger")
    assert caught.value.remedy
