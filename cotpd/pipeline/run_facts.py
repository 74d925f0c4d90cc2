"""Gather what was run for the record beside a run's scores: commit, models, parameters, digests, prompts, cost."""

from collections.abc import Iterator
from pathlib import Path

from cotpd.config import Params
from cotpd.data.data_checks import DataChecks
from cotpd.data.records import SPLITS
from cotpd.errors import CotpdError
from cotpd.files import compute_sha256
from cotpd.pipeline.settings import list_settings
from cotpd.pipeline.version_evidence import collect_checks
from cotpd.pipeline.workspace import UNLABELLED, Workspace
from cotpd.report.run_record import (
    Model,
    PromptText,
    RunRecord,
    Setting,
    SourceCost,
    TableDigest,
    hide_machine_path,
)
from cotpd.source_commit import read_source_commit
from cotpd.student.checkpoint import read_fingerprint


def gather_run_record(workspace: Workspace, params: Params, root: Path = Path()) -> RunRecord:
    """Return what was run; what cannot be read, such as a ledger that is gone, is said in its place."""
    source = read_source_commit(root)
    costs, note = sum_costs(workspace, params)
    checks = _collect_checks(workspace, root)
    return RunRecord(
        task=params.task,
        commit=source.commit if source else "",
        is_changed=source.is_changed if source else False,
        models=tuple(_list_models(workspace, params)),
        settings=tuple(_list_settings(params)),
        tables=tuple(_digest_tables(workspace)),
        prompts=tuple(_read_prompts(params)),
        costs=costs,
        cost_note=note,
        checks=checks.tables,
        warnings=checks.warnings,
    )


def _list_models(workspace: Workspace, params: Params) -> Iterator[Model]:
    folders = {
        "baseline": workspace.baseline,
        "student": workspace.student,
        "control": workspace.control_student,
        **{f"teacher {folder.name}": folder for folder in workspace.list_teachers()},
    }
    for role, folder in folders.items():
        if folder.is_dir():
            encoder = params.teach.encoder if role.startswith("teacher") else None
            name = str(hide_machine_path(encoder or params.student.encoder))
            yield Model(role=role, name=name, fingerprint=read_fingerprint(folder) or "")
    yield Model(role="captions", name=f"{params.caption.backend} {params.caption.model or ''}".strip())
    if params.ask.kinds or params.augment.kinds or params.llm_row.enabled:
        yield Model(role="answers", name=params.llm.model)


def _list_settings(params: Params) -> Iterator[Setting]:
    defaults = dict(list_settings(Params()))
    for name, value in list_settings(params):
        shown, default = hide_machine_path(value), hide_machine_path(defaults.get(name))
        yield Setting(name=name, value=shown, default=default)


def _digest_tables(workspace: Workspace) -> Iterator[TableDigest]:
    """Yield the tables that the models were made from and scored on, those that there are."""
    paths = [
        *(workspace.locate_posts(split) for split in (*SPLITS, UNLABELLED)),
        workspace.validated / "captions.jsonl",
        workspace.validated / "knowledge.jsonl",
        workspace.augmented / "augmented.jsonl",
        workspace.extracted / "extracted.jsonl",
    ]
    for path in paths:
        if path.is_file():
            with path.open("rb") as lines:
                count = sum(1 for _ in lines)
            yield TableDigest(name=f"{path.parent.name}/{path.name}", rows=count, sha256=compute_sha256(path))


def _read_prompts(params: Params) -> Iterator[PromptText]:
    """Yield the prompts that were asked, as their files have them."""
    from cotpd.llm.prompts import PromptSet  # noqa: PLC0415  needs the extra llm, which scoring does not

    for name, kinds in ((params.ask.prompts, params.ask.kinds), (params.augment.prompts, params.augment.kinds)):
        prompts = PromptSet.load(name, kinds)
        for kind in kinds:
            text = prompts.prompts[kind].path.read_text("utf-8-sig")
            yield PromptText(name=f"{prompts.folder.name}/{kind}", text=text)


def sum_costs(workspace: Workspace, params: Params) -> tuple[tuple[SourceCost, ...], str]:
    """Return what the answers cost by source, and at which prices or why that is not known."""
    from cotpd.pipeline.making_cost import describe_prices, sum_by_source  # noqa: PLC0415  needs the extra llm

    try:
        sums = sum_by_source(workspace, params, workspace.read_extracted())
        costs = [
            SourceCost(
                source=source,
                answers=tokens.answers,
                sent=tokens.sent,
                received=tokens.received,
                uncounted=tokens.uncounted,
                dollars=tokens.compute_dollars(params),
            )
            for source, tokens in sums.items()
        ]
        return tuple(costs), describe_prices(params) if costs else "No answer was asked for."
    except CotpdError as error:
        return (), f"The cost is not known: {error.problem}"


def _collect_checks(workspace: Workspace, root: Path) -> DataChecks:
    """Return the outcome of the data checks; a table that is missing is a warning."""
    try:
        return collect_checks(workspace)
    except CotpdError as error:
        problem = error.problem.replace(f"{root}/", "")
        return DataChecks(tables=(), warnings=(f"The checks are not known: {problem}",))
