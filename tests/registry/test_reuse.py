"""Outputs that come back from DVC's cache: the alias goes back to the version that was made of them."""

import json
import shutil
import subprocess

import pytest
import typer
from typer.testing import CliRunner

from cotpd.cli.predict import choose_model
from cotpd.cli.show import show as show_command
from cotpd.data.tables import write_json, write_table
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.aliases import set_alias
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from cotpd.registry.versions import find_version, list_versions
from steps import register

NAME = "cotpd-ner"
WORKSPACE = Workspace()


def write_scores(f1: float) -> None:
    scores = {"precision": 0.5, "recall": 0.5, "f1": f1, "macro_f1": 0.5, "accuracy": 0.5}
    write_json(WORKSPACE.scores, {"test": {"student": scores}})


@pytest.fixture
def outputs(project, students):
    """What the steps before register leave behind."""
    shutil.copytree(students["ner"], project / WORKSPACE.student)
    write_scores(0.5)
    write_table(project / WORKSPACE.locate_posts("train"), [])
    return project


def read_registered() -> int:
    return json.loads(WORKSPACE.registered.read_text("utf-8"))["version"]


def find_challenger(project) -> int:
    return find_version(connect(RegisterParams(), project), NAME, "challenger").number


def test_outputs_that_come_back_are_the_version_that_they_were(outputs, params):
    register.run(params["ner"])
    write_scores(0.25)
    register.run(params["ner"])
    assert (read_registered(), find_challenger(outputs)) == (2, 2)

    write_scores(0.5)
    register.run(params["ner"])

    assert (read_registered(), find_challenger(outputs)) == (1, 1)
    assert len(list_versions(connect(RegisterParams(), outputs), NAME)) == 2


def test_a_version_whose_files_are_gone_is_registered_anew(outputs, params):
    register.run(params["ner"])
    shutil.rmtree(outputs / "mlruns")

    register.run(params["ner"])

    assert (read_registered(), find_challenger(outputs)) == (2, 2)


def test_another_alias_and_other_weights_make_a_version_of_their_own(outputs, params):
    register.run(params["ner"])
    candidate = params["ner"].model_copy(update={"register_": RegisterParams(alias="candidate")})
    register.run(candidate)
    assert read_registered() == 2

    (WORKSPACE.student / "history.jsonl").write_text("{}\n")
    register.run(params["ner"])

    assert read_registered() == 3


def test_what_the_pipeline_writes_is_no_change_of_the_commit(outputs, params, root):
    shutil.copy(root / "dvc.yaml", outputs)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    (outputs / ".gitignore").write_text("mlflow.db*\nmlruns\n")
    (outputs / "params.yaml").write_text("seed: 1\n")
    for command in (["init", "-q"], ["add", ".gitignore", "dvc.yaml", "params.yaml"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], cwd=outputs, check=True)
    (outputs / "dvc.lock").write_text("schema: '2.0'\n")

    register.run(params["ner"])
    (outputs / "params.yaml").write_text("seed: 2\n")
    write_table(WORKSPACE.evaluation / "predictions.jsonl", [])
    register.run(params["ner"])

    registered_versions = list_versions(connect(RegisterParams(), outputs), NAME)
    assert [version.tags["git.dirty"] for version in registered_versions] == ["false", "true"]


def show() -> str:
    application = typer.Typer()
    application.command()(show_command)
    return CliRunner().invoke(application, [], catch_exceptions=False, env={"COLUMNS": "300"}).stdout


def test_show_says_what_the_registry_says_and_names_a_disagreement(outputs, params, root, capsys):
    shutil.copy(root / "params.yaml", outputs)
    for number in (0.5, 0.25):
        write_scores(number)
        register.run(params["ner"])
    client = connect(RegisterParams(), outputs)
    client.set_registered_model_alias(NAME, "champion", "1")
    assert "registered  models:/cotpd-ner@challenger (version 2)" in show()
    assert "aliases     champion is version 1, challenger is version 2" in show()

    set_alias(client, NAME, "challenger", 1)

    assert "models:/cotpd-ner@challenger is version 1, and the outputs here are version 2" in show()
    assert choose_model(None) == "models:/cotpd-ner@challenger"
    assert (
        "the outputs here are version 2; if that is not meant: dvc repro -f -s register" in capsys.readouterr().err
    )
    register.run(params["ner"])
    assert "(version 2)" in show()


def test_show_still_shows_the_scores_where_the_registry_is_gone(outputs, params, root):
    shutil.copy(root / "params.yaml", outputs)
    write_scores(0.5)
    register.run(params["ner"])
    (outputs / "mlflow.db").unlink()

    shown = show()

    assert "50.00" in shown
    assert "registered  version 1, but: " in shown
    assert "there is no registry here" in shown
