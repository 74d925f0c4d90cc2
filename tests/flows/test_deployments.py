"""prefect.yaml: what `prefect deploy` makes of it is what `python -m flows` serves, and its forms explain themselves."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cotpd.errors import ConfigError
from cotpd.studies.study import list_studies
from flows.deployments import Deployment, read_deployments
from flows.parameters import list_stages
from tests.flows.programs import LIMIT, delete_deployments, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
SERVED = ("full", "sample", "batch", "champion")


@pytest.fixture(scope="module")
def deployments() -> dict[str, Deployment]:
    return {row.name: row for row in read_deployments(ROOT / "prefect.yaml")}


def describe(deployment) -> dict[str, object]:
    """Return what a user of the UI meets of a deployment."""
    schedules = [(row.schedule.cron, row.schedule.timezone, row.active) for row in deployment.schedules]
    options = deployment.concurrency_options
    return {
        "description": deployment.description,
        "tags": sorted(deployment.tags),
        "parameters": deployment.parameters,
        "form": deployment.parameter_openapi_schema["properties"],
        "enforced": deployment.enforce_parameter_schema,
        "schedules": schedules,
        "limit": deployment.global_concurrency_limit and deployment.global_concurrency_limit.limit,
        "collision": options and options.collision_strategy,
    }


def read_all(client) -> dict[str, dict[str, object]]:
    flows = {flow.id: flow.name for flow in client.read_flows()}
    return {f"{flows[row.flow_id]}/{row.name}": describe(row) for row in client.read_deployments()}


def test_prefect_deploys_what_python_serves(checkout, start, prefect, prefect_server) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        prefect("work-pool", "create", "cotpd", "--type", "process", "--overwrite")
        prefect("variable", "set", "cotpd_home", str(checkout), "--overwrite")
        prefect("--no-prompt", "deploy", "--all")
        deployed = read_all(client)
        delete_deployments()

        server = start("-m", "flows")
        log = checkout / "log.txt"
        wait_until(lambda: log.exists() and "Serving cotpd/full" in log.read_text(), "the deployments are served")
        served = read_all(client)
        server.send_signal(signal.SIGTERM)
        server.wait(LIMIT)

    assert served == deployed
    assert len(served) == len(SERVED) + len(list_studies())


def test_the_schedule_is_shown_and_off(deployments) -> None:
    (schedule,) = deployments["full"].schedules

    assert schedule.cron == "0 3 * * *"
    assert not schedule.active


def test_one_run_at_a_time_writes_a_workspace(deployments) -> None:
    limits = {name: deployments[name].build_limit() for name in ("full", "sample")}

    assert [limit and limit.limit for limit in limits.values()] == [1, 1]


@pytest.mark.parametrize("name", SERVED)
def test_every_parameter_of_a_form_is_described(deployments, name) -> None:
    properties = deployments[name].flow.parameters.properties

    assert properties
    assert [key for key, field in properties.items() if not field.get("description")] == []


def test_stages_are_a_choice_of_those_of_dvc_yaml(deployments) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]

    field = deployments["full"].flow.parameters.properties["stages"]

    assert field["items"]["enum"] == list(stages) == list_stages()


@pytest.mark.parametrize(
    ("name", "parameter", "choices"),
    [
        ("full", "engine", ["", "local", "ray"]),
        ("batch", "engine", ["", "local", "ray"]),
        ("batch", "backend", ["auto", "torch", "onnx", "onnx-int8"]),
        ("knowledge", "split", ["", "valid", "test"]),
    ],
)
def test_names_are_chosen_from_a_list_and_not_typed(deployments, name, parameter, choices) -> None:
    field = deployments[name].flow.parameters.properties[parameter]

    assert field["enum"] == choices


def test_parameters_of_every_deployment_are_those_of_its_flow(deployments) -> None:
    for row in deployments.values():
        asked_in_the_form = {"input": "posts.jsonl", "output": "spans.jsonl"} if row.name == "batch" else {}

        values = row.flow.validate_parameters(asked_in_the_form | dict(row.parameters))

        assert values.keys() >= row.parameters.keys()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("descripton: The pipeline", r"prefect.yaml:4: .*did you mean description"),
        ("concurrency_limit: {limit: 0}", "greater than or equal to 1"),
        ("concurrency_limit: {limits: 1}", "did you mean limit"),
        ("schedules: [{cron: '* * * * *', actve: false}]", "did you mean active"),
    ],
)
def test_a_mistake_in_prefect_yaml_is_named_with_its_line(tmp_path: Path, line, problem) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(f"deployments:\n  - name: full\n    entrypoint: flows/full.py:full\n    {line}\n")

    with pytest.raises(ConfigError, match=problem):
        read_deployments(file)


def test_an_entrypoint_that_leads_nowhere_is_named() -> None:
    deployment = Deployment(name="full", entrypoint="flows/ful.py:full")

    with pytest.raises(ConfigError, match=r"full: there is no flow flows/ful\.py:full"):
        _ = deployment.flow


def test_without_prefect_yaml_one_sentence_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_deployments(tmp_path / "prefect.yaml")

    assert caught.value.remedy == "Run from the folder that holds it."


def test_a_server_that_is_too_old_is_named_with_its_version(httpserver, tmp_path: Path) -> None:
    httpserver.expect_request("/api/health").respond_with_json(True)
    httpserver.expect_request("/api/admin/version").respond_with_json("3.1.0")
    environment = {
        "PATH": "/usr/bin:/bin",
        "PREFECT_API_URL": httpserver.url_for("/api"),
        "PREFECT_HOME": str(tmp_path),
    }

    process = subprocess.run(
        [sys.executable, "-c", "import runpy; runpy.run_module('flows', run_name='__main__')"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert process.returncode == 1
    assert "is 3.1.0, older than the client" in process.stderr
    assert "Upgrade the server, or install prefect 3.1.0 here." in process.stderr


def test_no_field_of_a_form_is_a_choice_between_a_type_and_nothing_where_empty_says_the_same() -> None:
    flows = {deployment.flow.name: deployment.flow for deployment in read_deployments()}

    choices = {
        f"{name}: {field}"
        for name, flow in flows.items()
        for field, schema in flow.parameters.properties.items()
        if {"type": "null"} in schema.get("anyOf", [])
    }

    assert choices == {f"{name}: hours" for name in ("cotpd", "cotpd-score", "cotpd-study")}
