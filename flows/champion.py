"""The gate as a Prefect flow: judge a version, ask a person if that is wanted, and move the champion.

Trade-off: while a person thinks the run is suspended, which ends its process, so that days cost nothing and other
runs go on. When it is resumed the flow starts anew; the verdict comes from Prefect's storage of results, not from
a second judgement.
"""

from contextlib import chdir
from typing import Any, Literal

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from cotpd.cli.registry_access import open_registry
from cotpd.escaping import escape_markdown
from cotpd.promotion.approval import describe_change, promote_judged
from cotpd.promotion.gate_verdict import Verdict
from cotpd.promotion.promote import Request, promote_version
from cotpd.promotion.verdict_text import format_verdict_markdown
from cotpd.registry.moves import ChampionMovedError
from cotpd.registry.version_tags import record_rejection
from flows.project_root import ROOT
from flows.states import close_task_runs, end_with_server, watch_flow_run

ARTIFACT = "cotpd-gate"  # key of the table in Prefect's UI


class Approval(RunInput):
    """The form that a person fills in."""

    approve: bool = Field(title="Make it the champion")
    name: str = Field(title="Your name", min_length=1, max_length=100)
    reason: str = Field(default="", title="Why, for the record", max_length=2000)
    change: str = Field(title="What you decide on; leave it as it is")


@task(name="judge", persist_result=True, result_serializer="json")
def judge(name: str | None, version: str, require: Literal["not_worse", "better"] | None) -> dict[str, Any] | None:
    """Judge the version against the champion on the held-out posts; None if it is the champion already."""
    with chdir(ROOT):
        client, registered_name = open_registry(name)
        request = Request(name=registered_name, version=version, require=require, is_dry_run=True)
        verdict = promote_version(client, request).verdict
    if verdict is None:
        return None
    create_markdown_artifact(
        format_verdict_markdown(verdict),
        key=ARTIFACT,
        description=f"Gate: {escape_markdown(describe_change(verdict))}",
    )
    return verdict.model_dump(mode="json")


@flow(name="cotpd-promote", on_cancellation=[close_task_runs], on_crashed=[close_task_runs])
def promote(
    name: str = "",
    version: str = "challenger",
    approval: bool = False,
    approval_hours: float = 168,
    require: Literal["", "not_worse", "better"] = "",
) -> State[None]:
    """Judge a version against the champion, and promote it if it passes.

    Args:
        name: The registered model. Empty: that of params.yaml.
        version: Its version, a number or an alias.
        approval: Suspend the run after the gate has passed, until a person answers.
        approval_hours: How long to wait for the answer.
        require: not_worse or better; outweighs the rules. Empty: as the rules say.
    """
    end_with_server()
    with watch_flow_run(flow_run.id, ROOT):
        judged = judge(name or None, version, require or None)
    if judged is None:
        return Completed(name="Unchanged", message=f"{version} is the champion already")
    verdict = Verdict.model_validate(judged)
    if not verdict.passed:
        failures = "; ".join(f"{result.title}: {result.explanation}" for result in verdict.list_failures())
        return Failed(name="Refused", message=f"{describe_change(verdict)}: {failures}")
    answer = wait_for_approval(verdict, approval_hours) if approval else None
    with watch_flow_run(flow_run.id, ROOT):
        return settle_promotion(verdict, version, answer)


def wait_for_approval(verdict: Verdict, hours: float) -> Approval:
    """Suspend the run until a person answers in Prefect's UI; when it is resumed, return the answer."""
    change = describe_change(verdict)
    form = Approval.with_initial_data(
        description=f"**{escape_markdown(change)}**\n\n{format_verdict_markdown(verdict)}", change=change
    )
    get_run_logger().info(f"Waiting up to {hours:g} hours for a person: Resume in the UI. {change}")
    return suspend_flow_run(wait_for_input=form, timeout=round(3600 * hours), key="approval")


def settle_promotion(verdict: Verdict, label: str, answer: Approval | None) -> State[None]:
    """Move the champion, or record that a person refused; an answer that has been overtaken is void."""
    change = describe_change(verdict)
    with chdir(ROOT):
        client, _ = open_registry(verdict.name, writes=True)
    if answer is not None and answer.change != change:
        return Failed(name="Void", message=f"The answer is for {answer.change!r}, and the gate judged {change!r}.")
    if answer is not None and not answer.approve:
        name, number = verdict.name, verdict.challenger
        text = record_rejection(client, name, number, person=answer.name, reason=answer.reason)
        return Failed(name="Rejected", message=f"{change}: {text}")
    signature = {"person": answer.name, "reason": answer.reason} if answer else {}
    try:
        promote_judged(client, verdict, label, **signature)
    except ChampionMovedError as error:
        return Failed(name="Void", message=f"{change}: {error}")
    return Completed(name="Promoted", message=f"models:/{verdict.name}@champion is version {verdict.challenger}")
