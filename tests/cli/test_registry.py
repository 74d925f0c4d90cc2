"""`cotpd registry`, as a user types it, and `cotpd predict` with a registered student."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.errors import ModelError
from cotpd.pipeline.registration import register_student
from tests.trained_students import TEXT

METRICS = {"test": {"student": {"f1": 0.5}, "gain": {"f1": 0.125, "low": 0.0, "high": 0.25}}}


def run(*arguments: str) -> str:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).stdout


@pytest.fixture
def registered(registry_folder: Path, students: dict[str, Path], root: Path) -> None:
    """Two versions of one student in the registry of the current folder."""
    shutil.copy(root / "params.yaml", registry_folder)
    params = Params.model_validate({"task": "ner", "data": {"path": "sample"}})
    for _ in range(2):
        register_student(params, students["ner"], METRICS, root=registry_folder)


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
def test_a_version_says_what_it_was_trained_on_at_every_width(monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(run("registry", "list", "--json"))["versions"][0]["created"].partition("T")[0]

    for width in (50, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))

        lines = run("registry", "list").splitlines()

        assert max(map(len, lines)) <= width
        words = " ".join(lines).replace("│", " ").split()
        assert {"sample", "50.00", "+12.50", "challenger", made} <= set(words)


@pytest.mark.usefixtures("registered")
def test_versions_are_listed_for_a_program() -> None:
    listed = json.loads(run("registry", "list", "--json"))

    assert listed["name"] == "cotpd-ner"
    assert [(version["version"], version["aliases"]) for version in listed["versions"]] == [
        (1, []),
        (2, ["challenger"]),
    ]
    assert listed["versions"][0]["tags"]["f1.test"] == "50.00"


@pytest.mark.usefixtures("registered")
def test_history_shows_every_move_and_its_words_as_they_were_typed() -> None:
    run("registry", "promote", "--version", "1", "--force", "--reason", "[red]no[/red] posts \x1b[31m")
    run("registry", "promote", "--version", "2", "--force", "--reason", "again")
    run("registry", "rollback", "--reason", "wrong on LOC")

    table = run("registry", "history", "cotpd-ner")
    first, _, last = (json.loads(line) for line in run("registry", "history", "--json").splitlines())

    assert "1 → 2" in table
    assert "2 → 1" in table
    assert "[red]no[/red]" in table
    assert "\x1b" not in table
    assert (first["kind"], first["from_version"], first["to_version"]) == ("forced promotion", None, 1)
    assert (last["kind"], last["reason"], last["previous"]) == ("rollback", "wrong on LOC", 2)
    assert isinstance(first["figures"], dict)


@pytest.mark.usefixtures("registered")
def test_history_of_a_model_without_moves_is_empty_and_an_unknown_model_is_refused() -> None:
    assert run("registry", "history", "--json") == ""

    with pytest.raises(ModelError, match="no registered model cotpd-xy"):
        run("registry", "history", "cotpd-xy")


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_of_two_rollbacks_typed_at_once_one_wins_and_the_other_is_told() -> None:
    for number in ("1", "2"):
        run("registry", "promote", "--version", number, "--force", "--reason", "no posts here")
    command = [sys.executable, "-c", "from cotpd.cli.main import main; main()", "registry", "rollback"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    rollbacks = [subprocess.Popen(command, **pipes) for _ in range(2)]

    outputs = [rollback.communicate(timeout=300) for rollback in rollbacks]
    assert sorted(rollback.returncode for rollback in rollbacks) == [0, 1], outputs
    winner, loser = sorted(outputs, key=lambda output: not output[0])
    assert "is version 1 again, instead of 2" in winner[0]
    assert "has moved since" in loser[1]
    assert "Nothing was changed" in loser[1]


@pytest.mark.usefixtures("registered")
def test_the_challenger_predicts_unless_a_model_is_named() -> None:
    run("registry", "promote", "--version", "1", "--force", "--reason", "no posts here")

    by_default = run("predict", TEXT)
    by_alias = run("predict", "--model", "models:/cotpd-ner@champion", TEXT)

    assert by_default.startswith("[Ada PER ")
    assert "] works for [Acme ORG " in by_default
    assert by_default.endswith(" in Rome\n")
    assert by_alias == by_default
