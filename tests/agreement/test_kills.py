"""Whatever is killed at whatever moment, the next run finishes with the same outputs, and the states tell the truth."""

import os
import random
from collections.abc import Callable, Iterator
from itertools import chain, cycle, islice, product

import pytest

from steps.graph import is_up_to_date
from tests.agreement.doors import DOORS, VICTIMS, OpenDoor, OpenWorker, run_and_kill, run_door
from tests.agreement.operations import edit_prompt
from tests.agreement.project import CONCURRENCY, STAGES, Project
from tests.flows.programs import OwnServer, delete_deployments, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
KILLS = int(os.environ.get("COTPD_STRESS", "5"))  # make stress: 30
EVERY = list(chain.from_iterable(product([door], VICTIMS[door]) for door in DOORS))
MAIN = [("flow", "everything"), ("dvc", "dvc"), ("flow", "flow"), ("dvc", "group"), ("flow", "dvc")]
"""The first five."""


@pytest.fixture
def client(prefect_server: None) -> Iterator[object]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as prefect_client:
        yield prefect_client


def list_victims() -> list[tuple[str, str]]:
    return list(islice(cycle([*MAIN, *(pair for pair in EVERY if pair not in MAIN)]), KILLS))


def read_states(client) -> tuple[str, list[str]]:
    """Return the states of the last flow run and of its tasks, once none of them is Running."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import FlowRunSort

    (run,) = client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1)
    wait_until(lambda: client.read_flow_run(run.id).state.is_final(), "the flow's state is final")
    filters = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))

    def read_names():
        return [task.state.name for task in client.read_task_runs(flow_run_filter=filters)]

    wait_until(lambda: "Running" not in read_names(), "the tasks' states are final")
    return client.read_flow_run(run.id).state.name, sorted(set(read_names()))


@pytest.mark.parametrize("first", range(0, KILLS, 5))
def test_a_run_that_is_killed_again_and_again_ends_as_if_it_were_not(
    project: Project, client, record_property: Callable[[str, str], None], first: int
) -> None:
    draw = random.Random(first)
    bought_twice = project.count_bought_twice()
    project.server.latency = 0.05  # so that requests are in flight
    edit_prompt(project, draw)
    table, flows = [], []

    for door, victim in list_victims()[first : first + 5]:
        moment = run_and_kill(project, door, victim, draw.randint(1, 2), draw.uniform(0, 3))
        flows += [read_states(client)] if door == "flow" else []
        table.append(f"| {moment} | {' '.join(map(str, flows[-1])) if door == 'flow' else ''} |")
    last = draw.choice(DOORS)
    executed = run_door(project, last)

    project.server.latency = 0
    table.append(f"| {last} executes {', '.join(executed) or 'nothing'} | |")
    record_property("table", "\n".join([*table, ""]))
    assert all(is_up_to_date(stage, project.root) for stage in STAGES), "\n".join(table)
    assert project.digest_outputs() == project.digest_fresh_run()
    assert project.count_bought_twice() - bought_twice <= 5 * CONCURRENCY
    assert all(state in ("Crashed", "Failed", "Completed") for state, _ in flows)


@pytest.mark.skipif(
    "COTPD_STRESS" not in os.environ, reason="the small project of tests/flows has it in the tests"
)
def test_a_worker_that_is_killed_takes_its_run_along_and_the_next_run_goes_on(project: Project, client) -> None:
    delete_deployments()
    edit_prompt(project, random.Random(0))
    worker = OpenWorker(project)
    worker.wait_for_stages(1)

    assert worker.kill("flow")

    assert read_states(client) == ("Crashed", ["Cached", "Crashed"])
    assert run_door(project, "flow")
    assert project.digest_outputs() == project.digest_fresh_run()
    delete_deployments()


@pytest.mark.skipif(
    "COTPD_STRESS" not in os.environ, reason="the small project of tests/flows has it in the tests"
)
def test_a_server_that_is_killed_stops_nothing_that_counts_and_learns_the_end_later(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = OwnServer(tmp_path_factory.mktemp("server"))
    project.environment |= server.environment
    edit_prompt(project, random.Random(0))
    run = OpenDoor(project, "flow")
    run.wait_for_stages(1)

    server.kill()

    run.finish()
    server.start()
    wait_until(lambda: server.read_states() and "Running" not in server.read_states(), "states are final", 300)
    assert server.read_states() in (["Crashed"], ["Completed"])
    run_door(project, "dvc")
    assert project.digest_outputs() == project.digest_fresh_run()
    server.kill()
