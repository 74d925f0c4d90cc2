"""The list of catalogued weights."""

import pytest
from typer.testing import CliRunner

from cotpd.cli.models import app
from cotpd.weights import read_catalogue


def test_the_list_fits_a_terminal_and_breaks_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    lines = CliRunner().invoke(app, ["list"]).stdout.splitlines()

    models = [line for line in lines if line and not line.startswith((" ", "cache"))]
    assert [line.split()[0] for line in models] == list(read_catalogue())
    assert max(map(len, (line for line in lines if not line.startswith("cache")))) <= 80
