"""A version is what was registered: whatever changes in its folder is noticed before any of it is read or run."""

import json
import os
import subprocess
import sys

import pytest

from cotpd.errors import ModelError
from cotpd.pipeline.registration import register_student
from cotpd.registry.aliases import move_champion
from cotpd.registry.mlflow_plugin import open_models
from cotpd.registry.model_address import find_student_folder
from cotpd.registry.moves import Decision, MoveKind
from cotpd.registry.tracking_store import connect, use_store
from tests.trained_students import TEXT

NAME = "models:/cotpd-ner/1"


@pytest.fixture
def version(project, params, students):
    (project / "params.yaml").write_text("register: {tracking_uri: 'sqlite:///mlflow.db'}\n")
    register_student(params["ner"], students["ner"], {"test": {"student": {"f1": 0.5}}}, root=project)
    return find_student_folder(NAME).parents[1]


def append(path, text="\n"):
    path.write_bytes(path.read_bytes() + text.encode())


def replace_by_link(path):
    """Put a link in a file's place; the bytes are the same now, and may be others later."""
    path.rename(path.parent.parent.parent.parent.parent / "elsewhere.json")
    path.symlink_to(path.parent.parent.parent.parent.parent / "elsewhere.json")


HARMS = {
    "artifacts/student/tokenizer/tokenizer_config.json": append,
    "artifacts/student/tokenizer/special_tokens_map.json": lambda path: path.write_text("{}"),
    "artifacts/student/tokenizer/added_tokens.json": lambda path: path.write_text("{}"),
    "artifacts/student/student.json": lambda path: path.write_text(
        json.dumps(json.loads(path.read_text()) | {"temperature": 9.0})
    ),
    "artifacts/student/model.safetensors": append,
    "artifacts/student/encoder/config.json": append,
    "code/cotpd/student/prediction_input.py": append,
    "code/cotpd/sitecustomize.py": lambda path: path.write_text("raise SystemExit"),
    "code/cotpd/registry/version_digests.py": lambda path: path.unlink(),
    "served_model.py": append,
    "MLmodel": append,
    "requirements.txt": append,
    "conda.yaml": append,
    "MODEL_CARD.md": append,
    "input_example.json": append,
    "code/yaml/__init__.py": lambda path: path.write_text("raise SystemExit"),
    "code/cotpd/student/evil": lambda path: path.symlink_to("/tmp"),
    "artifacts/student/tokenizer/tokenizer.json": replace_by_link,
    "code/evil.pth": lambda path: path.write_text("import os"),
    "code/pipe": lambda path: os.mkfifo(path),
}


def promote(client):
    decision = Decision(MoveKind.PROMOTION)
    return move_champion(client, "cotpd-ner", 1, expected_champion=None, decision=decision)


def test_every_file_that_is_changed_added_or_removed_is_noticed_and_named(version, project):
    client = connect(read_store(project), project)
    for name, harm in HARMS.items():
        path = version / name
        before = path.read_bytes() if path.exists() else None
        path.parent.mkdir(exist_ok=True)
        harm(path)

        with pytest.raises(ModelError, match=rf"{path.name} was (changed|added|removed) since") as caught:
            find_student_folder(NAME)
        with pytest.raises(ModelError, match=path.name):
            promote(client)

        assert caught.value.remedy
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
    assert find_student_folder(NAME).is_dir()
    assert promote(client).to_version == 1


def test_a_run_is_checked_as_its_version_is(version, project):
    run = connect(read_store(project), project).get_model_version("cotpd-ner", "1").run_id
    append(version / "artifacts/student/student.json", " ")
    with pytest.raises(ModelError, match=r"student\.json was changed"):
        find_student_folder(f"runs:/{run}")


def test_what_mlflow_fetches_is_checked_before_it_is_read(version, project):
    from mlflow.exceptions import MlflowException

    client = connect(read_store(project), project)
    (version / "__pycache__").mkdir(exist_ok=True)
    (version / "__pycache__" / "served_model.pyc").write_bytes(b"planted")
    with use_store(client):
        assert open_models(NAME).download_artifacts("")
        assert not (version / "__pycache__").exists()
        append(version / "served_model.py")
        with pytest.raises(MlflowException, match=r"served_model\.py was changed"):
            open_models(NAME).download_artifacts("")


def test_mlflow_alone_loads_what_was_registered_and_nothing_else(version, project):
    count, module = load_folder(version, project).stdout.splitlines()[-1].split(" ", 1)
    assert count == "1"
    assert module.startswith(str(version / "code"))  # and not the cotpd that is installed, whose plugin is loaded
    assert find_student_folder(NAME).is_dir()  # loading has left nothing that counts as added
    append(version / "code/cotpd/student/prediction_input.py", "\nprint('it ran')\n")

    refused = load_folder(version, project)

    assert "prediction_input.py is not as it was registered" in refused.stderr
    assert "it ran" not in refused.stdout


def test_a_run_whose_mlmodel_was_taken_away_is_refused_too(version, project):
    run = connect(read_store(project), project).get_model_version("cotpd-ner", "1").run_id
    for path in (version / "artifacts/student").iterdir():
        path.rename(version / path.name)
    (version / "MLmodel").unlink()

    with pytest.raises(ModelError, match=r"MLmodel was removed"):
        find_student_folder(f"runs:/{run}")


def test_mlflow_checks_a_version_under_every_address_that_the_registry_knows(version, project, capsys):
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import load_model

    client = connect(read_store(project), project)
    registered = client.get_model_version("cotpd-ner", "1")
    append(version / "code/cotpd/errors.py")

    addresses = [NAME, "models:/cotpd-ner@challenger", registered.source, f"runs:/{registered.run_id}/student"]
    for address in addresses:
        with use_store(client), pytest.raises(MlflowException):
            load_model(address)

        assert "errors.py was changed since" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["sqlalchemy", "cotpd"])
def test_a_module_that_was_planted_in_a_folder_is_named_and_not_imported(version, project, module):
    planted = version / "code" / module / "__init__.py"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text("print('it ran')\n")

    refused = load_folder(version, project)

    assert f"{module}/__init__.py is not as it was registered" in refused.stderr
    assert "it ran" not in refused.stdout


def test_a_version_of_an_earlier_release_is_read_with_a_warning(version, project, capsys):
    connect(read_store(project), project).delete_model_version_tag("cotpd-ner", "1", "sha256.files")
    assert find_student_folder(NAME).is_dir()
    assert f"{NAME} was registered without the digests of its files" in capsys.readouterr().err


def load_folder(version, project):
    """Load a version's folder with MLflow alone, in a process of its own, and predict with it."""
    script = (
        "import mlflow, pandas, sys\n"
        f"model = mlflow.pyfunc.load_model({str(version)!r})\n"
        f"count = len(model.predict(pandas.DataFrame([{{'text': {TEXT!r}}}])))\n"
        "print(count, sys.modules['cotpd.student'].__file__)\n"
    )
    environment = {"MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, timeout=200)


def read_store(project):
    from cotpd.config import load_params

    return load_params(project / "params.yaml").register_
