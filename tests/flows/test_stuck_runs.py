"""A flow run that its worker had taken, and that no process ever began, is closed; one that may still begin is not."""

import os
from datetime import timedelta

import pytest
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType
from prefect.states import Pending, Running

from flows.stuck_runs import close_stuck_runs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def served(client):
    """A flow that the server knows."""
    from prefect import flow

    @flow(name="cotpd-score")
    def run_nothing() -> None: ...

    return run_nothing


@pytest.fixture
def create_runs(client, served):
    """Create two runs of one deployment: one that is pending, and one at work."""
    ids = []

    def create(limit):
        flow_id = client.create_flow(served)
        ids.append(client.create_deployment(flow_id, f"limit-{limit}", concurrency_limit=limit))
        pending, at_work = (client.create_flow_run_from_deployment(ids[-1]) for _ in range(2))
        client.set_flow_run_state(pending.id, Pending(name="Submitting"), force=True)
        client.set_flow_run_state(at_work.id, Running(), force=True)
        return pending.id, at_work.id

    yield create
    for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id={"any_": ids})):
        client.delete_flow_run(run.id)
    for number in ids:
        client.delete_deployment(number)


@pytest.fixture
def create_taken(client, served):
    """Create a run that a worker has taken, for a process of some number."""
    ids = []

    def create(process):
        run = client.create_flow_run(served)
        client.update_flow_run(run.id, infrastructure_pid=process)
        client.set_flow_run_state(run.id, Pending(), force=True)
        ids.append(run.id)
        return run.id

    yield create
    for number in ids:
        client.delete_flow_run(number)


@pytest.fixture
def _hour_over(monkeypatch):
    """Every run was taken long ago."""
    monkeypatch.setattr("flows.stuck_runs._BEGINNING", timedelta(days=-1))


def close_and_read(client, run, at_work=None):
    """Close the stuck runs; return the state of one, and what was printed of them all."""
    sentences = []
    close_stuck_runs(client, sentences.append, at_work)
    return client.read_flow_run(run).state, sentences


def test_a_run_whose_place_another_one_has_is_closed(client, create_runs):
    pending, at_work = create_runs(limit=1)

    state, sentences = close_and_read(client, pending, at_work)

    assert state.type == StateType.CRASHED
    assert "ended before the run began. Run it again." in state.message
    assert len(sentences) == 1
    assert client.read_flow_run(at_work).state.is_running()


@pytest.mark.parametrize("limit", [None, 2])
def test_a_run_beside_which_others_may_run_stays_pending(client, create_runs, limit):
    pending, at_work = create_runs(limit)

    state, sentences = close_and_read(client, pending, at_work)

    assert (state.type, sentences) == (StateType.PENDING, [])


@pytest.mark.usefixtures("_hour_over")
def test_a_run_that_was_taken_long_ago_is_closed(client, create_taken):
    run = create_taken(process=None)

    state, sentences = close_and_read(client, run)

    assert state.type == StateType.CRASHED
    assert len(sentences) == 1


@pytest.mark.usefixtures("_hour_over")
@pytest.mark.parametrize(
    "process", [pytest.param(str(os.getpid()), id="a living process"), "cluster:default:job-1"]
)
def test_a_run_whose_process_may_still_begin_stays_pending(client, create_taken, process):
    run = create_taken(process)

    state, _ = close_and_read(client, run)

    assert state.type == StateType.PENDING


def test_a_run_that_was_taken_just_now_stays_pending(client, create_taken):
    run = create_taken(process=None)

    state, _ = close_and_read(client, run)

    assert state.type == StateType.PENDING
