"""`cotpd show` explains each file of a run that was edited to something else, or is missing."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.errors import DataError

SCORES = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "macro_f1": 0.5}
FILES = {
    "reports/evaluation/scores.json": {"test": {"baseline": SCORES, "student": SCORES}},
    "reports/registered.json": {
        "name": "cotpd-ner",
        "alias": "challenger",
        "uri": "models:/cotpd-ner/1",
        "version": 1,
    },
    "models/student/student.json": {"labels": {"task": "ner"}},
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, value in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(value))
    return tmp_path


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", '{"a": 1}', '{"test": {"student": {"f1": "x"}}}', "[" * 99_999]
)
def test_an_edited_file_is_named_with_what_writes_it_again(project: Path, name: str, content: str) -> None:
    (project / name).write_text(content)

    result = CliRunner().invoke(app, ["show"])

    assert isinstance(result.exception, DataError), result.exception
    assert result.exception.problem.startswith(f"{name}: ")
    assert "dvc repro" in result.exception.remedy


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(project: Path, name: str) -> None:
    (project / name).unlink()

    result = CliRunner().invoke(app, ["show"])

    assert isinstance(result.exception, DataError)
    assert name in result.exception.problem
