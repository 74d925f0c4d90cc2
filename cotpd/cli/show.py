"""`cotpd show`: what the last run came to, and what to do with it next."""

from typing import TYPE_CHECKING

from cotpd.cli.output import console
from cotpd.config import load_params
from cotpd.data.tables import read_json
from cotpd.errors import ModelError
from cotpd.escaping import SafeConsole
from cotpd.pipeline.workspace import Workspace

if TYPE_CHECKING:
    from cotpd.registry.agreement import RegisteredOutputs


def show() -> None:
    """Show the last run's scores and the registered versions.

    Example: cotpd show
    """
    from cotpd.evaluation.results_table import build_rich_table, read_metrics
    from cotpd.registry.agreement import RegisteredOutputs
    from cotpd.student.tasks import find_task

    out, workspace = console(width=110), Workspace()
    out.print(build_rich_table(read_metrics(workspace.scores)))
    outputs = RegisteredOutputs.read()
    task = read_json(workspace.student / "student.json", "labels.task")["labels"]["task"]
    out.print(f"report      {workspace.report}")
    _print_registry(out, outputs)
    pair = find_task(task).shell_arguments
    out.print(f'ask it      cotpd predict {pair}"Eileen Collins left NASA for Florida"', soft_wrap=True)


def _print_registry(out: SafeConsole, outputs: "RegisteredOutputs") -> None:
    """Say which version the outputs are, which versions the aliases are on, and whether the two disagree."""
    try:
        registry = outputs.read_versions(load_params().register_)
    except ModelError as error:
        out.print(f"registered  version {outputs.version}, but: {error}")
        return
    address = f"models:/{outputs.name}@{outputs.alias}"
    if disagreement := outputs.compare(registry):
        out.print(f"registered  {disagreement}", style="yellow", soft_wrap=True)
    else:
        out.print(f"registered  {address} (version {outputs.version})")
    aliases = [f"{alias} is version {version.number}" for version in registry for alias in version.aliases]
    out.print(f"aliases     {', '.join(aliases) or 'none'}")
