"""The tables and links of a run in Prefect's UI, each made after the stage that writes what it shows."""

import os
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from cotpd.config import Params, load_params
from cotpd.data.records import SPLITS
from cotpd.data.tables import read_json
from cotpd.escaping import escape_markdown
from cotpd.passwords import drop_user_information, hide_passwords
from cotpd.pipeline.run_facts import sum_costs
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.tracking_store import is_server, resolve_uri
from cotpd.report.evaluation_files import read_evaluation
from cotpd.report.run_record import SourceCost
from cotpd.report.run_summary import write_summary

COST, SCORES, REPORT, RESULTS = "cotpd-cost", "cotpd-scores", "cotpd-report", "cotpd-results"  # keys in the UI
_OWN_MLFLOW = "http://127.0.0.1:5000"  # where `mlflow ui` shows a store without a server
_STORE = "MLFLOW_TRACKING_URI"

Artifact = tuple[str, Callable[[], object]]  # its key, and a function that sends it to the server


def make_artifacts(stage: str, root: Path) -> Iterator[Artifact]:
    """Yield the artifacts of what a stage has made, if it has any."""
    maker = _MAKERS.get(stage)
    if maker is not None:
        yield from maker(Workspace(root), load_params(root / "params.yaml"))


def make_costs(workspace: Workspace, params: Params) -> Iterator[Artifact]:
    """Yield what the answers of the run have cost so far, by kind of question."""
    costs, note = sum_costs(workspace, params)
    rows = [
        {
            "answers about": cost.source,
            "answers": f"{cost.answers:,}",
            "tokens sent": f"{cost.sent:,}",
            "tokens received": f"{cost.received:,}",
            "dollars": "not known" if cost.dollars is None else f"{cost.dollars:,.4f}",
        }
        for cost in (*costs, add_up(costs))
    ]
    if costs:
        description = f"Cost of the answers so far ({note})"
        yield COST, partial(create_table_artifact, rows, key=COST, description=description)


def add_up(costs: Sequence[SourceCost]) -> SourceCost:
    """Return the sum of what several sources cost; its dollars are not known if those of one are not."""
    dollars = [cost.dollars for cost in costs if cost.dollars is not None]
    return SourceCost(
        source="all",
        answers=sum(cost.answers for cost in costs),
        sent=sum(cost.sent for cost in costs),
        received=sum(cost.received for cost in costs),
        dollars=sum(dollars) if len(dollars) == len(costs) else None,
    )


def make_scores(workspace: Workspace, params: Params) -> Iterator[Artifact]:
    """Yield the scores as `cotpd show --markdown` prints them, and where the report is."""
    summary = write_summary(read_evaluation(workspace.evaluation), params.task, SPLITS, is_narrow=True)
    yield SCORES, partial(create_markdown_artifact, summary, key=SCORES, description="Scores of this run")
    report = _describe_report(workspace)
    yield REPORT, partial(create_markdown_artifact, report, key=REPORT, description="The report of this run")


def make_results(workspace: Workspace, params: Params) -> Iterator[Artifact]:
    """Yield where the registered version is, with links into MLflow's UI."""
    registered = read_json(workspace.registered)
    store = resolve_uri(params.register_, workspace.root)
    base = drop_user_information(store).rstrip("/") if is_server(store) else _OWN_MLFLOW
    name, version, run = registered["name"], registered["version"], registered["run_id"]
    lines = [
        f"**{escape_markdown(name)}** version {version} is `{registered['alias']}`: `{registered['uri']}`\n",
        f"- [MLflow run]({base}/#/runs/{run})",
        f"- [Version {version} in the registry]({base}/#/models/{name}/versions/{version})",
        f"- [Report]({base}/get-artifact?run_uuid={run}&path=evaluation/report.html), a page to download",
    ]
    if not is_server(store):
        lines.append(f"\nThe links work while MLflow's UI runs: `{_write_ui_command(store)}`")
    text = "\n".join([*lines, f"\n{_describe_report(workspace)}"])
    description = "Where the results of this run are"
    yield RESULTS, partial(create_markdown_artifact, text, key=RESULTS, description=description)


def _describe_report(workspace: Workspace) -> str:
    """Return where the report lies; a browser opens no file from a page of a server, so it is no link."""
    page = workspace.report.resolve()
    return f"Report, on {socket.gethostname()}: `{page}`"


def _write_ui_command(store: str) -> str:
    """Return the command that shows a store without a server; a password stays in the variable that has it."""
    if hide_passwords(store) != store and os.environ.get(_STORE) == store:
        return f'mlflow ui --backend-store-uri "${_STORE}"'
    return f"mlflow ui --backend-store-uri {shlex.quote(hide_passwords(store))}"


_MAKERS: dict[str, Callable[[Workspace, Params], Iterator[Artifact]]] = {
    **dict.fromkeys(("ask", "validate", "augment", "extract"), make_costs),
    "evaluate": make_scores,
    "register": make_results,
}
