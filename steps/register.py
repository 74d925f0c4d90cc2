"""register: put the student into the MLflow registry, with all that made it."""

import tempfile
from dataclasses import asdict
from pathlib import Path

from cotpd.config import Params
from cotpd.data.records import SPLITS
from cotpd.data.tables import write_json
from cotpd.evaluation.results_table import read_metrics
from cotpd.pipeline.making_cost import list_expenses
from cotpd.pipeline.registration import register_student
from cotpd.pipeline.version_evidence import write_evidence
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.new_version import RegisteredVersion
from cotpd.registry.reuse import MADE_FROM, digest_inputs, reuse_version
from steps.common import main, say


def run(params: Params) -> None:
    """Register a version and write reports/registered.json, which names it.

    Outputs that were registered before, and came back with their parameters, get no second version: the alias goes
    back to the first one.
    """
    workspace = Workspace()
    candidates = [
        *(workspace.locate_posts(split) for split in SPLITS),
        workspace.validated / "captions.jsonl",
        workspace.validated / "knowledge.jsonl",
        workspace.augmented / "augmented.jsonl",
    ]
    tables = [table for table in candidates if table.is_file()]
    made_from = digest_inputs(params.task, params.register_, [workspace.student, workspace.evaluation, *tables])

    registered = reuse_version(params.registered_name, made_from, params.register_)
    registered = registered or _register(workspace, params, tables, made_from)
    write_json(workspace.registered, asdict(registered))
    say(f"register: {registered.name} version {registered.version} is {registered.alias}: {registered.uri}")


def _register(workspace: Workspace, params: Params, tables: list[Path], made_from: str) -> RegisteredVersion:
    with tempfile.TemporaryDirectory() as folder:
        return register_student(
            params,
            workspace.student,
            read_metrics(workspace.scores),
            evaluation=workspace.evaluation,
            trained=[
                workspace.student,
                workspace.baseline,
                workspace.control_student,
                *workspace.list_teachers(),
            ],
            tables=tables,
            cost=list_expenses(workspace, params),
            tags={MADE_FROM: made_from},
            evidence=write_evidence(workspace, Path(folder)),
        )


if __name__ == "__main__":
    main(run)
