"""Close flow runs that a worker has taken and no process has begun, as the worker was killed in between.

Such a run is Pending for ever. It has no watcher and no record, and nothing on the server notices.

Trade-off: while a run is at work whose deployment allows one in progress, any other one that is Pending has lost
its place. Where more are allowed only time tells: an hour, in which a process begins on any machine.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

_BEGINNING = timedelta(hours=1)  # in which a process on a machine begins; a cluster may make its jobs wait longer
_FLOWS = ["cotpd", "cotpd-study", "cotpd-score", "cotpd-promote"]
_PENDING = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PENDING])))
_MESSAGE = "The worker that had taken this run ended before the run began. Run it again."


def close_stuck_runs(client: SyncPrefectClient, say: Callable[[str], object], at_work: UUID | None = None) -> None:
    """Close the runs of CoTPD that were taken and never begun, and say so.

    Args:
        client: Of the server.
        say: Is given a sentence about each one.
        at_work: The flow run of this process, if it is one.
    """
    for run in {run.id: run for run in (*_list_displaced(client, at_work), *_list_overdue(client))}.values():
        if run.id != at_work:
            client.set_flow_run_state(run.id, Crashed(message=_MESSAGE), force=True)
            say(f"The flow run {run.name} is closed: the worker that had taken it ended before it began.")


def _list_displaced(client: SyncPrefectClient, at_work: UUID | None) -> list[FlowRun]:
    """Return the pending runs of the deployment of a run at work, if it allows one in progress."""
    deployment_id = client.read_flow_run(at_work).deployment_id if at_work else None
    if deployment_id is None:
        return []
    limit = client.read_deployment(deployment_id).global_concurrency_limit
    if limit is None or limit.limit != 1:
        return []
    of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
    return client.read_flow_runs(deployment_filter=of_deployment, flow_run_filter=_PENDING)


def _list_overdue(client: SyncPrefectClient) -> Iterator[FlowRun]:
    """Yield the runs that a process was to begin long ago; one that lives here may be slow."""
    of_cotpd = FlowFilter(name=FlowFilterName(any_=_FLOWS))
    for run in client.read_flow_runs(flow_filter=of_cotpd, flow_run_filter=_PENDING):
        process = run.infrastructure_pid or "0"
        is_of_cluster = not process.isdigit()
        is_late = run.state is not None and datetime.now(UTC) - run.state.timestamp > _BEGINNING
        if is_late and not is_of_cluster and not (int(process) and psutil.pid_exists(int(process))):
            yield run
