"""`python -m flows` beside what others have made on the server: a work pool's deployment, schedules, a pause."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cotpd.studies.study import list_studies
from flows.study_runs import RunningStudy
from tests.flows.programs import LIMIT, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def serve_for_a_moment(checkout, start, name):
    log = checkout / "log.txt"
    log.unlink(missing_ok=True)
    server = start("-m", "flows")
    wait_until(lambda: f"Serving cotpd/{name}" in log.read_text(), "the deployment is served")
    server.send_signal(signal.SIGTERM)
    assert server.wait(LIMIT) == 143


def list_schedules(client, name="cotpd/full"):
    return [(row.schedule.cron, row.active) for row in client.read_deployment_by_name(name).schedules]


def test_schedules_and_a_pause_outlive_a_restart(checkout, start, client, prefect):
    serve_for_a_moment(checkout, start, "full")
    assert not client.read_deployment_by_name("cotpd/full").paused
    prefect("deployment", "schedule", "create", "cotpd/full", "--cron", "30 4 * * 1")
    client.pause_deployment(client.read_deployment_by_name("cotpd/full").id)

    serve_for_a_moment(checkout, start, "full")

    assert sorted(list_schedules(client)) == [("0 3 * * *", False), ("30 4 * * 1", True)]
    assert client.read_deployment_by_name("cotpd/full").paused


def test_the_deployment_of_a_work_pool_is_left_alone_and_another_name_served(checkout, start, client, prefect):
    from prefect.client.schemas.actions import WorkPoolCreate

    pool = WorkPoolCreate(name="cotpd", type="process")
    client.create_work_pool(pool, overwrite=True)  # another test's may be there
    flow = client.create_flow_from_name("cotpd")
    client.create_deployment(flow, "full", work_pool_name="cotpd", entrypoint="flows/full.py:full")
    prefect("deployment", "schedule", "create", "cotpd/full", "--cron", "0 3 * * *")
    before = client.read_deployment_by_name("cotpd/full")

    serve_for_a_moment(checkout, start, "local")

    after = client.read_deployment_by_name("cotpd/full")
    assert (after.work_pool_name, after.paused, after.updated) == ("cotpd", False, before.updated)
    assert list_schedules(client) == [("0 3 * * *", True)]
    assert client.read_deployment_by_name("cotpd/local").work_pool_name is None


def test_every_study_is_served_under_its_name(checkout, start, client):
    serve_for_a_moment(checkout, start, "full")

    names = [path.stem for path in list_studies()]
    for name in names:
        assert client.read_deployment_by_name(f"cotpd-study/{name}").parameters["name"] == name


def test_a_study_that_fails_says_why_and_leaves_no_process(root: Path):
    lines: list[str] = []

    with pytest.raises(subprocess.CalledProcessError), RunningStudy(["knowlege"], root) as running:
        lines += running

    assert any("did you mean knowledge?" in line for line in lines)


def test_without_a_server_one_sentence_names_the_remedy(tmp_path: Path):
    address = "http://127.0.0.1:9/api"
    process = subprocess.run(
        [sys.executable, "-c", "import runpy; runpy.run_module('flows', run_name='__main__')"],
        cwd=Path(__file__).parents[2],
        env={"PATH": "/usr/bin:/bin", "PREFECT_API_URL": address, "PREFECT_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert process.returncode == 1
    assert process.stderr.splitlines() == [
        f"error: no Prefect server answers at {address}",
        "  Start one in another terminal: prefect server start. Or correct PREFECT_API_URL.",
    ]
