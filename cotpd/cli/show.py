"""`cotpd show`: the scores of the last run, and how to use its student."""

from typing import Annotated, Any

import typer

from cotpd.cli.findings import print_buckets, print_diagnoses, print_notes
from cotpd.cli.options import AsJson
from cotpd.cli.output import build_console, format_json
from cotpd.cli.output import show as print_line
from cotpd.cli.shell import name_command
from cotpd.config import load_params
from cotpd.data.tables import read_json
from cotpd.errors import ModelError
from cotpd.escaping import SafeConsole
from cotpd.evaluation.results_table import Metrics, build_rich_table, read_metrics
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.agreement import RegisteredOutputs
from cotpd.student.tasks import find_task


def show(
    as_json: AsJson = False,
    buckets: Annotated[
        bool, typer.Option("--buckets", help="Also show where one row is better than another.")
    ] = False,
) -> None:
    """Show the last run's scores and the registered versions.

    Example: cotpd show --buckets
    """
    console, workspace = build_console(width=110), Workspace()
    metrics, outputs = read_metrics(workspace.scores), RegisteredOutputs.read(workspace.registered)
    task = read_json(workspace.student / "student.json", "labels.task")["labels"]["task"]
    if as_json:
        print_line(format_json(_build_json(workspace, metrics, outputs)))
        return

    console.print(build_rich_table(metrics))
    print_notes(console, metrics)
    if buckets:
        print_buckets(console, workspace.evaluation)
    print_diagnoses(console, workspace.evaluation)
    console.print(f"report      {workspace.report}")
    _print_registry(console, outputs)
    pair = find_task(task).shell_arguments
    console.print(
        f'ask it      {name_command()} predict {pair}"Eileen Collins left NASA for Florida"', soft_wrap=True
    )


def _build_json(workspace: Workspace, metrics: Metrics, outputs: RegisteredOutputs) -> dict[str, Any]:
    """Return what `--json` prints; scores are shares of one."""
    registered = {"name": outputs.name, "version": outputs.version, "alias": outputs.alias}
    return {"scores": metrics, "report": str(workspace.report), "registered": registered}


def _print_registry(console: SafeConsole, outputs: RegisteredOutputs) -> None:
    """Print the version of the outputs, the version of each alias, and a warning if the two disagree."""
    try:
        versions = outputs.read_versions(load_params().register_)
    except ModelError as error:
        console.print(f"registered  version {outputs.version}, but: {error}")
        return

    address = f"models:/{outputs.name}@{outputs.alias}"
    if disagreement := outputs.compare(versions):
        console.print(f"registered  {disagreement}", style="yellow", soft_wrap=True)
    else:
        console.print(f"registered  {address} (version {outputs.version})")
    aliases = []
    for version in versions:
        aliases += [f"{alias} is version {version.number}" for alias in version.aliases]
    console.print(f"aliases     {', '.join(aliases) or 'none'}")
