"""What keeps a work pool from running the deployments is a sentence with a remedy, and so is a missing environment."""

import os
import subprocess
import sys

import pytest

from flows.deployments import Deployment, Pool
from flows.work_pools import HOME, list_problems
from tests.flows.programs import LIMIT

pytestmark = pytest.mark.slow


@pytest.fixture
def check_pool(client):
    """Create a work pool, and return what is said of it."""
    from prefect.client.schemas.actions import WorkPoolCreate

    names = []

    def check(name, kind, **values):
        client.create_work_pool(WorkPoolCreate(name=name, type=kind, **values))
        names.append(name)
        return list(list_problems(client, [build_deployment(name)]))

    yield check
    for name in names:
        client.delete_work_pool(name)


def build_deployment(pool):
    return Deployment(name="full", entrypoint="flows/full.py:full", work_pool=Pool(name=pool))


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        ("ecs:push", {}, "is of type ecs:push, whose runs have no checkout"),
        ("prefect:managed", {}, "prefect worker start --pool checked --type process"),
        ("process", {"is_paused": True}, "prefect work-pool resume checked"),
        ("process", {}, "no worker of work pool checked is at work"),
        ("kubernetes", {}, "prefect worker start --pool checked --type kubernetes"),
    ],
)
def test_a_pool_that_cannot_run_the_deployments_is_named_with_a_remedy(check_pool, kind, values, sentence):
    problems = check_pool("checked", kind, **values)

    assert sentence in problems[0]


def test_a_variable_that_is_missing_is_named_with_a_remedy(client, check_pool):
    if client.read_variable_by_name(HOME) is not None:
        client.delete_variable_by_name(HOME)

    *_, problem = check_pool("checked", "process")

    assert f"prefect variable set {HOME}" in problem


def test_a_pool_that_does_not_exist_is_no_problem(client):
    assert list(list_problems(client, [build_deployment("absent")])) == []


def test_a_worker_without_the_environment_is_told_how_to_get_it():
    code = "import sys; sys.modules['dvc'] = None; import flows.full"

    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT, check=False
    )

    assert process.returncode == 1
    *_, sentence = process.stderr.splitlines()
    assert "lacks CoTPD's packages (dvc)" in sentence
    assert "source .venv/bin/activate" in sentence
    assert "pip install 'cotpd[pipeline]'" in sentence


def test_a_run_of_a_worker_without_the_environment_says_so_in_its_state(client, prefect_server):
    from prefect import flow
    from prefect.settings import get_current_settings

    run = client.create_flow_run(flow(lambda: None, name="cotpd-bare"))
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    code = "import sys; sys.modules['networkx'] = None; import flows.full"

    subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | settings | {"PREFECT__FLOW_RUN_ID": str(run.id)},
        capture_output=True, timeout=LIMIT, check=False,
    )  # fmt: skip

    state = client.read_flow_run(run.id).state
    assert state.is_failed()
    assert "pip install 'cotpd[pipeline]'" in state.message
