"""A flow that is stopped, in whichever way, leaves no process behind, and its states tell the truth."""

import json
import os
import signal
import urllib.request
from contextlib import suppress

import psutil
import pytest

from steps.under_dvc import is_alive
from tests.flows.programs import LIMIT, wait_until
from tests.ports import find_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
BY_HAND = ("-c", "from flows.full import full; full()")


def find_latest_run(client):
    from prefect.client.schemas.sorting import FlowRunSort

    return client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1)[0]


def request_run(client, checkout):
    """Ask the served deployment for a run."""
    log = checkout / "log.txt"
    wait_until(lambda: log.exists() and "Serving cotpd/full" in log.read_text(), "the deployment is served")
    return client.create_flow_run_from_deployment(client.read_deployment_by_name("cotpd/full").id).id


def find_step(checkout):
    wait_until((checkout / "pid").exists, "the step runs")
    return psutil.Process(int((checkout / "pid").read_text()))


def is_gone(process):
    return not is_alive(process)


def read_states(client, run):
    """Names of the states of a flow run and of its task runs, once the flow's is final."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    wait_until(lambda: client.read_flow_run(run).state.is_final(), "the flow's state is final")
    filters = FlowRunFilter(id=FlowRunFilterId(any_=[run]))

    def read_tasks():
        return client.read_task_runs(flow_run_filter=filters)

    wait_until(lambda: all(task.state.is_final() for task in read_tasks()), "the tasks' states are final")
    return client.read_flow_run(run).state.name, [task.state.name for task in read_tasks()]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_flow_run_by_hand_takes_its_step_along(checkout, start, client, number):
    flow = start(*BY_HAND)
    step = find_step(checkout)

    flow.send_signal(number)

    flow.wait(LIMIT)
    wait_until(lambda: is_gone(step), "the step ends")
    assert (checkout / "saved").read_text() == "checkpoint"
    assert read_states(client, find_latest_run(client).id) == ("Crashed", ["Crashed"])


def test_a_cancelled_run_ends_its_step_and_is_called_cancelled(checkout, start, client, prefect):
    start("-m", "flows")
    run = request_run(client, checkout)
    step = find_step(checkout)

    prefect("flow-run", "cancel", str(run))

    wait_until(lambda: is_gone(step), "the step ends")
    assert (checkout / "saved").read_text() == "checkpoint"
    flow_state, (task_state,) = read_states(client, run)
    assert flow_state == "Cancelled"
    assert task_state in ("Cancelled", "Crashed")  # by the runner's hook, or by the task itself: who is first


def test_a_flow_killed_under_the_server_takes_its_step_along(checkout, start, client):
    start("-m", "flows")
    run = request_run(client, checkout)
    step = find_step(checkout)
    flow = next(
        parent for parent in step.parents() if "prefect.engine" in parent.cmdline() or "full" in parent.name()
    )

    flow.kill()

    wait_until(lambda: is_gone(step), "the step ends")
    assert read_states(client, run) == ("Crashed", ["Crashed"])


def test_the_first_ctrl_c_says_what_happens_and_ends_everything(checkout, start, client):
    server = start("-m", "flows")
    run = request_run(client, checkout)
    step = find_step(checkout)

    os.killpg(server.pid, signal.SIGINT)  # as a terminal does

    assert server.wait(LIMIT) == 130
    assert "Stopping: runs in progress are cancelled" in (checkout / "log.txt").read_text()
    assert is_gone(step)
    flow_state, (task_state,) = read_states(client, run)
    assert {flow_state, task_state} <= {"Cancelled", "Crashed"}


def test_a_killed_server_takes_its_runs_along(checkout, start, client):
    server = start("-m", "flows")
    run = request_run(client, checkout)
    step = find_step(checkout)

    server.kill()

    wait_until(lambda: is_gone(step), "the step ends")
    assert read_states(client, run) == ("Crashed", ["Crashed"])


def test_a_second_ctrl_c_kills_a_step_that_does_not_end(checkout, start, client):
    (checkout / "stubborn").touch()
    server = start("-m", "flows")
    run = request_run(client, checkout)
    step = find_step(checkout)
    os.killpg(server.pid, signal.SIGINT)
    wait_until(lambda: "Stopping" in (checkout / "log.txt").read_text(), "the first one is answered")

    os.killpg(server.pid, signal.SIGINT)

    assert server.wait(LIMIT) == 130
    assert "Killing the runs in progress" in (checkout / "log.txt").read_text()
    wait_until(lambda: is_gone(step), "the step ends")
    flow_state, (task_state,) = read_states(client, run)
    assert {flow_state, task_state} <= {"Cancelled", "Crashed"}


@pytest.fixture
def own_server(environment, tmp_path_factory):
    """The address of a server that this test starts and kills, and the arguments that start it."""
    port = str(find_port())
    home = tmp_path_factory.mktemp("home")
    environment.pop("PREFECT_API_DATABASE_CONNECTION_URL", None)  # an older name, which would go first
    environment |= {
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_CLIENT_MAX_RETRIES": "0",  # which take a minute
    }
    return environment["PREFECT_API_URL"], ("-m", "prefect", "server", "start", "--port", port)


def read_answer(address, **request):
    """Return what a server answers; None while there is none."""
    with (
        suppress(OSError),
        urllib.request.urlopen(urllib.request.Request(address, **request), timeout=30) as answer,
    ):
        return json.load(answer)


def test_a_flow_whose_server_was_killed_is_closed_when_the_server_is_back(checkout, start, own_server):
    address, serve = own_server
    server = start(*serve)
    wait_until(lambda: read_answer(f"{address}/health"), "the server answers")
    flow = start(*BY_HAND)
    step = find_step(checkout)

    os.killpg(server.pid, signal.SIGKILL)
    server.wait(LIMIT)
    os.kill(step.pid, signal.SIGTERM)
    flow.wait(LIMIT)
    start(*serve)

    def has_crashed():
        request = {"data": b"{}", "headers": {"Content-Type": "application/json"}}
        runs = read_answer(f"{address}/flow_runs/filter", **request) or []
        return [run["state"]["name"] for run in runs] == ["Crashed"]

    wait_until(has_crashed, "the server calls the run Crashed", 2 * LIMIT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_stopped_or_killed_takes_its_runs_along(checkout, start, client, prefect, number):
    worker = start("-m", "prefect", "worker", "start", "--pool", "cotpd", "--type", "process")
    wait_until(lambda: "started" in (checkout / "log.txt").read_text(), "the worker has made its pool")
    prefect("variable", "set", "cotpd_home", str(checkout), "--overwrite")
    prefect("--no-prompt", "deploy", "--all")
    deployment = client.read_deployment_by_name("cotpd/full")
    run = client.create_flow_run_from_deployment(deployment.id).id
    step = find_step(checkout)

    worker.send_signal(number)

    worker.wait(LIMIT)
    wait_until(lambda: is_gone(step), "the step ends")
    assert read_states(client, run) == ("Crashed", ["Crashed"])
