"""States of a flow run whose process was killed, which would be called Running for ever, as would its task.

A runner (`python -m flows`) notices the death of a flow. A worker that is stopped kills its flows without a word,
and a flow that was started by hand has no runner. So each flow run has a watcher, a shell at the end of a pipe.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import get_current_settings
from prefect.states import Cancelled, Crashed, State

SERVER = "COTPD_SERVER"  # number of the process of `python -m flows`, in the environment of its runs
_OPEN = [StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED]
_PATIENCE = 15.0  # seconds in which a runner or worker may write the end of a run itself
_WATCH = 'read -r finished || exec "$0" -m flows.states "$1"'
_watchers: list[subprocess.Popen[bytes]] = []  # their pipes stay open as long as this process lives


@contextmanager
def watched(flow_run_id: UUID | None, root: Path) -> Iterator[None]:
    """Close the states of a flow run if this process ends before it has told them itself."""
    if flow_run_id is None:  # the function was called outside of Prefect
        yield
        return
    watcher = subprocess.Popen(
        ["sh", "-c", _WATCH, sys.executable, str(flow_run_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=root,
        env=os.environ | get_current_settings().to_environment_variables(exclude_unset=True),
        start_new_session=True,  # what kills the flow's group must not kill its watcher
    )
    _watchers.append(watcher)
    try:
        yield
    except Exception:
        _dismiss(watcher)
        raise
    else:
        _dismiss(watcher)  # after a signal it stays: the process is ending, and may be killed before it has


def _dismiss(watcher: "subprocess.Popen[bytes]") -> None:
    _watchers.remove(watcher)
    watcher.communicate(b"finished\n")


def end_with_server() -> None:
    """End this process by SIGTERM when `python -m flows` that started it is gone: it could not be cancelled."""
    server = os.environ.get(SERVER)
    if server == str(os.getppid()):
        threading.Thread(target=_wait_for_server, args=(int(server),), daemon=True).start()


def _wait_for_server(server: int) -> None:
    while os.getppid() == server:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def close_task_runs(flow: Any, flow_run: FlowRun, state: State) -> None:
    """Give task runs that are still open the end that their flow run has come to (a hook of the flow)."""
    with get_client(sync_client=True) as client:
        _close_task_runs(client, flow_run.id, state)


def _close_task_runs(client: SyncPrefectClient, flow_run_id: UUID, state: State) -> None:
    final = Crashed if state.is_crashed() else Cancelled
    of_flow_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    still_open = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_OPEN)))
    for task_run in client.read_task_runs(flow_run_filter=of_flow_run, task_run_filter=still_open):
        ended = final(message=f"The process of its flow run has ended: {state.message or state.name}")
        client.set_task_run_state(task_run.id, ended, force=True)


def close_flow_run(flow_run_id: UUID) -> None:
    """Close a flow run whose process is gone, and its task runs, unless somebody else does within some seconds."""
    with get_client(sync_client=True) as client:
        last = client.read_flow_run(flow_run_id).state
        deadline = time.monotonic() + _PATIENCE
        while last is not None and not last.is_final():
            time.sleep(1)
            state = client.read_flow_run(flow_run_id).state
            if state.is_running() and state.id != last.id:
                return  # another process has taken the run up
            last = state
            if time.monotonic() > deadline:
                final = Cancelled if state.is_cancelling() else Crashed
                last = final(message="The process of the flow run was killed.")
                client.set_flow_run_state(flow_run_id, last, force=True)
        if last is not None and (last.is_crashed() or last.is_cancelled()):
            _close_task_runs(client, flow_run_id, last)


if __name__ == "__main__":
    close_flow_run(UUID(sys.argv[1]))
