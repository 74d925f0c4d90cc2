"""`cotpd show`: what the last run came to, and what to do with it next."""

from pathlib import Path

import typer
from rich.console import Console

from cotpd.data.tables import read_json

SCORES = Path("reports/evaluation/scores.json")
REGISTERED = Path("reports/registered.json")
REPORT = Path("reports/evaluation/report.html")
STUDENT = Path("models/student/student.json")


def show() -> None:
    """Show the scores of the last run, the registered version, and how to ask it.

    Example: cotpd show
    """
    from cotpd.evaluation.compare import read_metrics, rich_table

    console = Console()
    console.width = max(console.width, 110)  # a wrapped table of figures cannot be read
    console.print(rich_table(read_metrics(SCORES)))
    registered = read_json(REGISTERED, "uri", "version")
    console.print(f"report      {REPORT}", highlight=False)
    console.print(f"registered  {registered['uri']} (version {registered['version']})", highlight=False)
    task = read_json(STUDENT, "labels.task")["labels"]["task"]
    pair = '--head "Eileen Collins" --tail NASA ' if task == "re" else ""
    typer.echo(f'ask it      cotpd predict {pair}"Eileen Collins left NASA for Florida"')
