"""Close the states of a flow run whose process was killed; Prefect would show it and its task as Running for ever.

A runner (`python -m flows`) notices the death of a flow. A worker that is stopped kills its flows and reports
nothing, and a flow that was started by hand has no runner. So each flow run has a watcher, a shell at the end of a
pipe.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.settings import PREFECT_API_URL, get_current_settings
from prefect.states import Cancelled, Crashed

from steps.under_dvc import find_owners, is_alive

_RUN = "PREFECT__FLOW_RUN_ID"  # the environment variable that a worker or runner sets for the processes of a run
_OPEN = [StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED]
_PATIENCE = 15.0  # seconds in which a runner or worker may close the states itself
_OUTAGE = 3600.0  # seconds in which a server that was killed may come back and be told
_PAUSE = 5.0  # seconds between two tries
_WATCH = 'read -r finished || exec "$0" -m flows.states "$1"'
_watchers: list[subprocess.Popen[bytes]] = []  # their pipes stay open as long as this process lives


@contextmanager
def watch_flow_run(flow_run_id: UUID | None, root: Path) -> Iterator[None]:
    """Have the states of a flow run closed if this process ends inside the block."""
    if flow_run_id is None:  # the flow's function was called outside of Prefect
        yield
        return
    watcher = subprocess.Popen(
        ["sh", "-c", _WATCH, sys.executable, str(flow_run_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=root,
        env=os.environ | get_current_settings().to_environment_variables(exclude_unset=True),
        start_new_session=True,  # a signal that kills the flow's group must not kill its watcher
    )
    _watchers.append(watcher)
    try:
        yield
    except Exception:
        _dismiss(watcher)
        raise
    else:
        _dismiss(watcher)  # after a signal it stays: this process is ending, and may be killed before it has


def _dismiss(watcher: "subprocess.Popen[bytes]") -> None:
    """End a watcher, unless the server does not answer, which then has to be told later how the run ended."""
    if _has_server():
        _watchers.remove(watcher)
        watcher.communicate(b"finished\n")


def _has_server() -> bool:
    """Whether the server answers now; Prefect's client would try for a minute."""
    url = PREFECT_API_URL.value()
    try:
        return url is None or httpx.get(f"{url}/health", timeout=10).is_success
    except httpx.HTTPError:
        return False


def end_with_server() -> None:
    """End this process by SIGTERM once the worker or the `python -m flows` that started it has ended.

    A worker that is killed cancels nothing. Its run would go on unseen, beside the next one in the same folder.
    """
    owners = find_owners(_RUN)
    if owners:
        threading.Thread(target=_wait_for_owners, args=(owners,), daemon=True).start()


def _wait_for_owners(owners: list[psutil.Process]) -> None:
    while all(map(is_alive, owners)):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def close_task_runs(flow: Any, flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001
    """Close the task runs that are still open, with the state of their flow run (a hook of the flow)."""
    with get_client(sync_client=True) as client:
        _close_task_runs(client, flow_run.id, state)


def _close_task_runs(client: SyncPrefectClient, flow_run_id: UUID, state: State[Any]) -> None:
    make_state: Callable[..., State[Any]] = Crashed if state.is_crashed() else Cancelled
    of_flow_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    still_open = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_OPEN)))
    for task_run in client.read_task_runs(flow_run_filter=of_flow_run, task_run_filter=still_open):
        final = make_state(message=f"The process of its flow run has ended: {state.message or state.name}")
        client.set_task_run_state(task_run.id, final, force=True)


def close_flow_run(flow_run_id: UUID) -> None:
    """Close a flow run whose process has ended, and its task runs.

    A runner or worker may do so itself within some seconds, and another process may take the run up again.
    """
    with get_client(sync_client=True) as client:
        state = _wait_for_final_state(client, flow_run_id)
        if state is not None and not state.is_final():
            make_state: Callable[..., State[Any]] = Cancelled if state.is_cancelling() else Crashed
            state = make_state(message="The process of the flow run ended without a word to the server.")
            client.set_flow_run_state(flow_run_id, state, force=True)
        if state is not None and (state.is_crashed() or state.is_cancelled()):
            _close_task_runs(client, flow_run_id, state)


def _wait_for_final_state(client: SyncPrefectClient, flow_run_id: UUID) -> State[Any] | None:
    """Return the last state of a flow run, as soon as it is final or the time for that is over.

    Return None if the run has no state, or another process has taken it up.
    """
    deadline = time.monotonic() + _PATIENCE
    state = client.read_flow_run(flow_run_id).state
    while state is not None and not state.is_final() and time.monotonic() <= deadline:
        time.sleep(1)
        former, state = state, client.read_flow_run(flow_run_id).state
        if state is not None and state.is_running() and state.id != former.id:
            return None
    return state


def close_after_outage(flow_run_id: UUID) -> None:
    """Close a flow run as :func:`close_flow_run` does, as soon as the server answers.

    Raises:
        httpx.HTTPError, RuntimeError: It has not come back for an hour.
    """
    deadline = time.monotonic() + _OUTAGE
    while True:
        try:
            return close_flow_run(flow_run_id)
        except (httpx.HTTPError, RuntimeError):  # "Failed to reach API"
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)


if __name__ == "__main__":
    close_after_outage(UUID(sys.argv[1]))
