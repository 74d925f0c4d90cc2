"""`cotpd show`: what the last run came to, and what to do with it next."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from cotpd.config import load_params
from cotpd.data.tables import read_json
from cotpd.errors import ModelError

if TYPE_CHECKING:
    from cotpd.models.outputs import RegisteredOutputs

SCORES = Path("reports/evaluation/scores.json")
REPORT = Path("reports/evaluation/report.html")
STUDENT = Path("models/student/student.json")


def show() -> None:
    """Show the scores of the last run, the registered version and its aliases, and how to ask it.

    Example: cotpd show
    """
    from cotpd.evaluation.compare import read_metrics, rich_table
    from cotpd.models.outputs import RegisteredOutputs

    console = Console()
    console.width = max(console.width, 110)  # a wrapped table of figures cannot be read
    console.print(rich_table(read_metrics(SCORES)))
    outputs = RegisteredOutputs.read()
    console.print(f"report      {REPORT}", highlight=False)
    _print_registry(console, outputs)
    task = read_json(STUDENT, "labels.task")["labels"]["task"]
    pair = '--head "Eileen Collins" --tail NASA ' if task == "re" else ""
    typer.echo(f'ask it      cotpd predict {pair}"Eileen Collins left NASA for Florida"')


def _print_registry(console: Console, outputs: "RegisteredOutputs") -> None:
    """Say which version the outputs are, which versions the aliases are on, and whether the two disagree."""
    try:
        registry = outputs.read_versions(load_params().register_)
    except ModelError as error:
        console.print(f"registered  version {outputs.version}, but: {error}", highlight=False, markup=False)
        return
    address = f"models:/{outputs.name}@{outputs.alias}"
    if disagreement := outputs.compare(registry):
        console.print(f"registered  {disagreement}", style="yellow", highlight=False, markup=False, soft_wrap=True)
    else:
        console.print(f"registered  {address} (version {outputs.version})", highlight=False, markup=False)
    aliases = [f"{alias} is version {version.number}" for version in registry for alias in version.aliases]
    console.print(f"aliases     {', '.join(aliases) or 'none'}", highlight=False, markup=False)
