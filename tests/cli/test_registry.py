"""`cotpd registry`, as a user types it, and `cotpd predict` with a registered student."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.pipeline.registration import register_student
from tests.trained_students import TEXT

METRICS = {"test": {"student": {"f1": 0.5}, "gain": {"f1": 0.125}}}


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).stdout


@pytest.fixture
def registered(registry_folder: Path, students: dict[str, Path], root: Path) -> None:
    """Two versions of one student in the registry of the current folder."""
    shutil.copy(root / "params.yaml", registry_folder)
    for _ in range(2):
        register_student(Params(task="ner"), students["ner"], METRICS, root=registry_folder)


@pytest.mark.usefixtures("registered")
def test_versions_are_listed_promoted_and_rolled_back() -> None:
    force = ("--force", "--reason", "no posts here")
    first, second = run("registry", "promote", "--version", "1", *force), run("promote", *force)
    listed = run("registry", "list")
    restored = run("registry", "rollback")

    assert "is version 1, by force: no posts here\n" in first
    assert "is version 2, after version 1, by force: no posts here\n" in second
    assert "challenger, champion" in listed.replace("\n", " ")
    assert "previous" in listed
    assert "50.00" in listed
    assert "is version 1 again, instead of 2" in restored


@pytest.mark.usefixtures("registered")
def test_the_challenger_predicts_unless_a_model_is_named() -> None:
    run("registry", "promote", "--version", "1", "--force", "--reason", "no posts here")

    by_default = run("predict", TEXT)
    by_alias = run("predict", "--model", "models:/cotpd-ner@champion", TEXT)

    assert by_default.startswith("[Ada PER ")
    assert "] works for [Acme ORG " in by_default
    assert by_default.endswith(" in Rome\n")
    assert by_alias == by_default
