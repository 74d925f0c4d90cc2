"""`cotpd serve` in a project without a champion."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.errors import ModelError


def test_without_a_champion_the_first_start_says_how_to_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("data: {path: sample}\n", "utf-8")

    outcome = CliRunner().invoke(app, ["serve", "--port", "0"])

    assert isinstance(outcome.exception, ModelError)
    assert "Promote a version (cotpd promote), or name one with --model" in outcome.exception.remedy
