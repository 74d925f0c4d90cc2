"""The tables and links of a run in Prefect's UI, each made after the stage that writes what it shows."""

import shlex
from collections.abc import Callable
from pathlib import Path

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from cotpd.config import Params, load_params
from cotpd.data.records import SPLITS
from cotpd.data.tables import read_json
from cotpd.escaping import escape_markdown
from cotpd.pipeline.run_facts import sum_costs
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.tracking_store import is_server, resolve_uri
from cotpd.report.evaluation_files import read_evaluation
from cotpd.report.run_summary import write_summary

COST, SCORES, REPORT, RESULTS = "cotpd-cost", "cotpd-scores", "cotpd-report", "cotpd-results"  # keys in the UI
_OWN_MLFLOW = "http://127.0.0.1:5000"  # where `mlflow ui` shows a store without a server


def write_artifacts(stage: str, root: Path) -> None:
    """Write the artifacts of what a stage has made, if it has any."""
    writer = _WRITERS.get(stage)
    if writer is not None:
        writer(Workspace(root), load_params(root / "params.yaml"))


def write_costs(workspace: Workspace, params: Params) -> None:
    """Write what the answers of the run have cost so far, by kind of question."""
    costs, note = sum_costs(workspace, params)
    rows = [
        {
            "answers about": cost.source,
            "answers": cost.answers,
            "tokens sent": cost.sent,
            "tokens received": cost.received,
            "dollars": "not known" if cost.dollars is None else round(cost.dollars, 4),
        }
        for cost in costs
    ]
    if rows:
        create_table_artifact(rows, key=COST, description=f"Cost of the answers so far ({note})")


def write_scores(workspace: Workspace, params: Params) -> None:
    """Write the scores as `cotpd show --markdown` prints them, and a link to the report."""
    summary = write_summary(read_evaluation(workspace.evaluation), params.task, SPLITS)
    create_markdown_artifact(summary, key=SCORES, description="Scores of this run")
    page = workspace.report.resolve()
    create_link_artifact(page.as_uri(), key=REPORT, link_text="report.html", description=f"On the worker: {page}")


def write_results(workspace: Workspace, params: Params) -> None:
    """Write where the registered version is, with links into MLflow's UI."""
    registered = read_json(workspace.registered)
    store = resolve_uri(params.register_, workspace.root)
    has_server = is_server(store)
    base = store.rstrip("/") if has_server else _OWN_MLFLOW
    name, version = registered["name"], registered["version"]
    lines = [
        f"**{escape_markdown(name)}** version {version} is `{registered['alias']}`: `{registered['uri']}`",
        f"- [MLflow run]({base}/#/runs/{registered['run_id']})",
        f"- [Version {version} in the registry]({base}/#/models/{name}/versions/{version})",
        f"- Report: `{workspace.report.resolve()}`",
    ]
    if not has_server:
        lines.append(
            f"\nThe links work while MLflow's UI runs: `mlflow ui --backend-store-uri {shlex.quote(store)}`"
        )
    create_markdown_artifact("\n".join(lines), key=RESULTS, description="Where the results of this run are")


_WRITERS: dict[str, Callable[[Workspace, Params], None]] = {
    **dict.fromkeys(("ask", "validate", "augment", "extract"), write_costs),
    "evaluate": write_scores,
    "register": write_results,
}
