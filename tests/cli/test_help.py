"""`cotpd --help` lists every command, quickly, and each command explains itself."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cotpd.cli import lazy
from cotpd.cli.main import app

ROOT = Path(__file__).parent.parent.parent
HEAVY = {
    "torch",
    "transformers",
    "mlflow",
    "openai",
    "sqlalchemy",
    "pandas",
    "numpy",
    "great_expectations",
    "pydantic",
}


def test_help_lists_each_command_on_one_line() -> None:
    result = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"})

    listed = [" ".join(line.strip("│ ").split()) for line in result.stdout.splitlines()]
    assert [f"{name} {summary}" for name, summary in lazy.SUMMARIES.items()] == [
        line for line in listed if line.split(" ")[0] in lazy.SUMMARIES
    ]


@pytest.mark.parametrize("name", lazy.SUMMARIES)
def test_a_summary_is_the_first_line_of_the_commands_own_help(name: str) -> None:
    module = import_module(f"cotpd.cli.{name}")
    application = getattr(module, "app", None)

    text = application.info.help if isinstance(application, typer.Typer) else getattr(module, name).__doc__

    assert text.splitlines()[0] == lazy.SUMMARIES[name]


@pytest.mark.parametrize("name", lazy.SUMMARIES)
def test_every_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(app, [name, "--help"])

    assert result.exit_code == 0
    assert f"Usage: cotpd {name} " in result.stdout
    assert lazy.SUMMARIES[name].split()[0] in result.stdout


def test_help_imports_no_package_that_a_command_alone_needs() -> None:
    script = (
        "import sys; from cotpd.cli.main import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    )

    completed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT
    )

    assert HEAVY.isdisjoint(completed.stdout.splitlines()[-1].split())


def test_a_misspelt_command_is_told_the_nearest_one() -> None:
    result = CliRunner().invoke(app, ["leger"])

    assert result.exit_code == 2
    assert "Did you mean 'ledger'?" in result.output
