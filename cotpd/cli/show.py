"""`cotpd show`: the scores of the last run, and how to use its student."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cotpd.cli.findings import list_findings, print_buckets, print_diagnoses, print_notes, print_scores
from cotpd.cli.options import AsJson
from cotpd.cli.output import build_console, format_json, warn
from cotpd.cli.output import show as print_line
from cotpd.cli.shell import name_command
from cotpd.config import load_params
from cotpd.data.records import SPLITS, TaskName
from cotpd.data.tables import read_json
from cotpd.errors import ModelError
from cotpd.escaping import SafeConsole
from cotpd.evaluation.results_table import Metrics, read_metrics
from cotpd.pipeline.run_report import write_run_report
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.agreement import RegisteredOutputs
from cotpd.report.evaluation_files import EvaluationFiles, read_evaluation
from cotpd.report.run_summary import write_summary
from cotpd.student.tasks import find_task


def show(
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option(help="Build the report page again, to this file.", show_default=False)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Scores for a pull request, in Markdown.")] = False,
    buckets: Annotated[
        bool, typer.Option("--buckets", help="Also show where one row is better than another.")
    ] = False,
) -> None:
    """Show the last run's scores and the registered versions.

    \b
    Example:
      cotpd show --buckets
      cotpd show --markdown
      cotpd show --html page.html
    """
    workspace = Workspace()
    if html is not None:
        _build_page(workspace, html)
    elif markdown:
        files = read_evaluation(workspace.evaluation)
        print_line(write_summary(files, _find_task(workspace, files), SPLITS))
    else:
        _print_run(workspace, as_json, buckets)


def _build_page(workspace: Workspace, path: Path) -> None:
    """Build the page of the last run, and say which files it had to do without."""
    task = _find_task(workspace, read_evaluation(workspace.evaluation))
    for missing in write_run_report(workspace, path, task):
        warn(f"{missing.name}: {missing.reason}. The page lacks {missing.lacks}.")
    print_line(f"page      {path}")


def _find_task(workspace: Workspace, files: EvaluationFiles) -> TaskName:
    """Return the task that an evaluation was of: its own record says so, or else the student that lies here."""
    if files.record is not None:
        return files.record.task
    task: TaskName = read_json(workspace.student / "student.json", "labels.task")["labels"]["task"]
    return task


def _print_run(workspace: Workspace, as_json: bool, buckets: bool) -> None:
    """Print scores, where the report lies and which versions there are, as tables or as JSON."""
    console = build_console()
    metrics, outputs = read_metrics(workspace.scores), RegisteredOutputs.read(workspace.registered)
    task = read_json(workspace.student / "student.json", "labels.task")["labels"]["task"]
    if as_json:
        findings = list_findings(workspace.evaluation, buckets)
        print_line(format_json(_build_json(workspace, metrics, outputs) | findings))
        return

    print_scores(console, metrics, task)
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
    if disagreement := outputs.compare(outputs.list_alias_versions(versions)):
        console.print(f"registered  {disagreement}", style="yellow", soft_wrap=True)
    else:
        console.print(f"registered  {address} (version {outputs.version})")
    aliases = []
    for version in versions:
        aliases += [f"{alias} is version {version.number}" for alias in version.aliases]
    console.print(f"aliases     {', '.join(aliases) or 'none'}")
