"""A flow run that died together with its watcher is closed by the next one in its folder, and no other run is."""

import os
import signal
from contextlib import suppress

import psutil
import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelling, Completed, Pending, Running

from flows.run_records import FOLDER, RecordFile, RunRecord
from flows.states import close_dead_runs
from tests.flows.programs import LIMIT, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
BY_HAND = ("-c", "from flows.full import full; full()")


@pytest.fixture
def create_run(client):
    """Create a flow run on the server in some state; return its record."""
    from prefect import flow
    from prefect.settings import PREFECT_API_URL

    @flow(name="cotpd-recorded")
    def run_nothing() -> None: ...

    def create(*states):
        run = client.create_flow_run(run_nothing)
        for state in (Running(), *states):
            client.set_flow_run_state(run.id, state, force=True)
        return RunRecord.build(run.id, 1, PREFECT_API_URL.value())

    return create


def leave_record(root, record):
    """Write a record as a process leaves it that has died: nobody holds it."""
    file = RecordFile(root, record)
    file._file.close()


def close_and_read(client, root, record):
    """Close the dead runs of a folder; return the state of one, and what was printed."""
    sentences = []
    close_dead_runs(root, sentences.append)
    return client.read_flow_run(record.flow_run).state.type, sentences


@pytest.mark.parametrize(
    ("state", "expected"), [(Running(), StateType.CRASHED), (Cancelling(), StateType.CANCELLED)]
)
def test_a_run_whose_process_is_dead_is_closed(client, create_run, tmp_path, state, expected):
    record = create_run(state)
    leave_record(tmp_path, record)
    tries = client.read_flow_run(record.flow_run).run_count
    leave_record(tmp_path, record.model_copy(update={"tries": tries}))

    final, sentences = close_and_read(client, tmp_path, record)

    assert final == expected
    assert len(sentences) == 1
    assert f"its process {os.getpid()} died before its end" in sentences[0]
    assert list((tmp_path / FOLDER).iterdir()) == []


@pytest.mark.parametrize(("state", "expected"), [(Completed(), "COMPLETED"), (Pending(), "PENDING")])
def test_a_run_that_has_ended_or_is_about_to_start_again_stays_as_it_is(
    client, create_run, tmp_path, state, expected
):
    record = create_run(state)
    leave_record(tmp_path, record)

    final, sentences = close_and_read(client, tmp_path, record)

    assert (final.value, sentences) == (expected, [])
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_run_that_lives_is_left_alone(client, create_run, tmp_path):
    record = create_run()
    file = RecordFile(tmp_path, record)

    final, sentences = close_and_read(client, tmp_path, record)

    assert (final, sentences) == (StateType.RUNNING, [])
    file.remove()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_a_run_that_another_process_goes_on_with_is_left_alone(client, create_run, tmp_path):
    record = create_run(Running())
    leave_record(tmp_path, record.model_copy(update={"tries": 0}))

    final, sentences = close_and_read(client, tmp_path, record)

    assert (final, sentences) == (StateType.RUNNING, [])


def test_a_run_of_another_machine_is_named_with_a_remedy_and_left_alone(client, create_run, tmp_path):
    record = create_run().model_copy(update={"host": "elsewhere"})
    leave_record(tmp_path, record)

    final, (sentence,) = close_and_read(client, tmp_path, record)

    assert final == StateType.RUNNING
    assert "began here on elsewhere" in sentence
    assert f"prefect flow-run cancel {record.flow_run}" in sentence


def test_a_damaged_record_and_a_run_that_the_server_has_lost_harm_nothing(client, create_run, tmp_path):
    record = create_run()
    leave_record(tmp_path, record)
    (tmp_path / FOLDER / "half.json").write_text('{"flow_run": ')
    client.delete_flow_run(record.flow_run)
    sentences = []

    close_dead_runs(tmp_path, sentences.append)

    assert sentences == []


def kill_tree(process):
    """Kill a flow with everything below it, as when a machine is switched off."""
    tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for member in tree:  # stopped first: the watcher must not outlive the flow by a moment
        member.send_signal(signal.SIGSTOP)
    for member in tree:
        with suppress(psutil.Error):
            member.kill()
    process.wait(LIMIT)


def test_the_next_run_closes_one_that_was_killed_together_with_its_watcher(checkout, start, client):
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort

    flow = start(*BY_HAND)
    wait_until((checkout / "pid").exists, "the step runs")
    (run,) = client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1)
    kill_tree(flow)
    (checkout / "pid").unlink()
    assert client.read_flow_run(run.id).state.is_running()

    start(*BY_HAND)

    wait_until((checkout / "pid").exists, "the next run has come to its step")
    assert client.read_flow_run(run.id).state.is_crashed()
    tasks = client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])))
    assert [task.state.name for task in tasks] == ["Crashed"]
    assert f"The flow run {run.id} is closed" in " ".join((checkout / "log.txt").read_text().split())
