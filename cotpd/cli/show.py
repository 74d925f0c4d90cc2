"""`cotpd show`: what the last run came to, and what to do with it next."""

import json
from pathlib import Path

import typer
from rich.console import Console

from cotpd.errors import DataError

SCORES = Path("reports/evaluation/scores.json")
REGISTERED = Path("reports/registered.json")
REPORT = Path("reports/evaluation/report.html")
STUDENT = Path("models/student/student.json")


def show() -> None:
    """Show the scores of the last run, the registered version, and how to ask it.

    Example: cotpd show
    """
    from cotpd.evaluation.compare import rich_table

    console = Console()
    console.width = max(console.width, 110)  # a wrapped table of figures cannot be read
    console.print(rich_table(_read(SCORES)))
    registered = _read(REGISTERED)
    console.print(f"report      {REPORT}", highlight=False)
    console.print(f"registered  {registered['uri']} (version {registered['version']})", highlight=False)
    pair = '--head "Eileen Collins" --tail NASA ' if _read(STUDENT)["labels"]["task"] == "re" else ""
    typer.echo(f'ask it      cotpd predict {pair}"Eileen Collins left NASA for Florida"')


def _read(path: Path) -> dict:
    if not path.is_file():
        raise DataError(
            f"{path}: there is no such file, the pipeline has not run to its end here", "Run: dvc repro"
        )
    return json.loads(path.read_text("utf-8"))
