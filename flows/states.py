"""Close the states of a flow run whose process was killed; Prefect would show it and its task as Running for ever.

A runner (`python -m flows`) notices the death of a flow. A worker that is stopped kills its flows and reports
nothing, and a flow that was started by hand has no runner. So each flow run has a watcher, a shell at the end of a
pipe. Where the watcher died too, the next run in the same folder closes the states.
"""

import atexit
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import psutil
from prefect import get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import PREFECT_API_URL, get_current_settings
from prefect.states import Cancelled, Crashed

from flows.failures import explain_failure
from flows.run_records import RecordFile, RunRecord, list_dead_records
from flows.stuck_runs import close_stuck_runs
from steps.under_dvc import find_owners, is_alive

_RUN = "PREFECT__FLOW_RUN_ID"  # the environment variable that a worker or runner sets for the processes of a run
_OPEN = [StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED]
_PATIENCE = 15.0  # seconds in which a runner or worker may close the states itself
_OUTAGE = 3600.0  # seconds in which a server that was killed may come back and be told
_PAUSE = 5.0  # seconds between two tries
_WATCH = 'read -r finished || exec "$0" -m flows.states "$1"'
_watchers: list[subprocess.Popen[bytes]] = []  # their pipes stay open as long as this process lives
_records: list[RecordFile] = []  # of runs whose end the server has not been told yet
_ended: list[RecordFile] = []  # of runs whose function has ended, and whose last state Prefect is sending


@contextmanager
def watch_flow_run(flow_run_id: UUID | None, root: Path) -> Iterator[None]:
    """Have the states of a flow run closed if this process ends inside the block."""
    if flow_run_id is None:  # the flow's function was called outside of Prefect
        yield
        return
    _remove_ended_records()
    _close_former_runs(flow_run_id, root)
    record = _record_run(flow_run_id, root)
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
        with explain_failure():
            yield
    except Exception:
        _dismiss(watcher, record)
        raise
    else:  # after a signal both stay: this process is ending, and may be killed before that
        _dismiss(watcher, record)


def _close_former_runs(flow_run_id: UUID, root: Path) -> None:
    say = get_run_logger().warning
    close_dead_runs(root, say)
    with suppress(httpx.HTTPError, RuntimeError, PrefectException), get_client(sync_client=True) as client:
        close_stuck_runs(client, say, flow_run_id)


def _dismiss(watcher: "subprocess.Popen[bytes]", record: RecordFile | None) -> None:
    """End a watcher, unless the server does not answer, which then has to be told later how the run ended."""
    if _has_server():
        _watchers.remove(watcher)
        watcher.communicate(b"finished\n")
        if record is not None:
            _ended.append(record)


def _record_run(flow_run_id: UUID, root: Path) -> RecordFile | None:
    """Write the record of a flow run; None without a DVC project, or where it cannot be locked."""
    if not (root / ".dvc").is_dir():
        return None
    with get_client(sync_client=True) as client:
        tries = client.read_flow_run(flow_run_id).run_count
    try:
        record = RecordFile(root, RunRecord.build(flow_run_id, tries, PREFECT_API_URL.value()))
    except OSError:
        return None
    _records.append(record)
    return record


@atexit.register  # by then Prefect has sent the last state; a process that is killed before that leaves its record
def _remove_ended_records() -> None:
    while _ended:
        record = _ended.pop()
        _records.remove(record)
        record.remove()


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


def close_dead_runs(root: Path, say: Callable[[str], object]) -> None:
    """Close the flow runs of a folder whose processes have died together with their watchers.

    Args:
        root: The project's folder.
        say: Is given a sentence about each one.
    """
    for path, record in list_dead_records(root):
        if record.server != PREFECT_API_URL.value():
            continue
        if not record.is_of_this_machine:
            say(
                f"The flow run {record.flow_run} began here on {record.host}, and its end is not known. If that "
                f"machine is gone, run: prefect flow-run cancel {record.flow_run}; rm {path}"
            )
            continue
        with suppress(httpx.HTTPError, RuntimeError), get_client(sync_client=True) as client:  # else the next time
            if _close_recorded_run(client, record):
                say(f"The flow run {record.flow_run} is closed: its process {record.process} died before its end.")
            path.unlink(missing_ok=True)


def _close_recorded_run(client: SyncPrefectClient, record: RunRecord) -> bool:
    """Close a flow run whose process is dead; return False if it has ended, or another process goes on with it."""
    try:
        flow_run = client.read_flow_run(record.flow_run)
    except ObjectNotFound:
        return False
    state = flow_run.state
    if state is None or flow_run.run_count > record.tries:
        return False
    was_open = state.is_running() or state.is_cancelling()  # Pending: a runner is about to start it again
    if was_open or state.is_crashed() or state.is_cancelled():
        _close_states(client, record.flow_run, state)
    return was_open


def close_flow_run(flow_run_id: UUID) -> None:
    """Close a flow run whose process has ended, and its task runs.

    A runner or worker may do so itself within some seconds, and another process may take the run up again.
    """
    with get_client(sync_client=True) as client:
        state = _wait_for_final_state(client, flow_run_id)
        if state is not None:
            _close_states(client, flow_run_id, state)


def _close_states(client: SyncPrefectClient, flow_run_id: UUID, state: State[Any]) -> None:
    """Close a flow run that is in some state, unless that one is final, and its task runs."""
    if not state.is_final():
        make_state: Callable[..., State[Any]] = Cancelled if state.is_cancelling() else Crashed
        state = make_state(message="The process of the flow run ended without a word to the server.")
        client.set_flow_run_state(flow_run_id, state, force=True)
    if state.is_crashed() or state.is_cancelled():
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
