"""The gate as a flow: served, suspended for a person, answered, and what becomes of the answer."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotpd.registry.aliases import move_champion, read_champion, read_history
from cotpd.registry.moves import Decision, MoveKind
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect, use_store
from cotpd.registry.versions import find_version
from tests.builders import build_student
from tests.flows.programs import LIMIT, delete_deployments, wait_until
from tests.promotion.gate_project import HELD_OUT, register, write_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
GOOD, BAD = 1, 2  # versions of cotpd-ner, whose files every model here has
NAMES = ("approved", "rejected", "overtaken")


@pytest.fixture(scope="module")
def project(students, encoder, empty_registry, tmp_path_factory) -> Path:
    """A checkout with a registered model for each test; of the model "worse" the challenger has learnt nothing."""
    folder = tmp_path_factory.mktemp("gate")
    for package in ("flows", "steps"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", folder)
    shutil.copy(empty_registry, folder / "mlflow.db")
    write_project(folder)
    build_student(encoder, types=("ORG", "PER")).save(folder / "untrained")
    for student in (students["ner"], folder / "untrained"):
        register(folder, student, folder / "evidence", tables=[folder / HELD_OUT])
    client = connect(RegisterParams(), folder)
    for name in (*NAMES, "worse"):
        client.create_registered_model(name)
        for original in (GOOD, BAD if name == "worse" else GOOD):
            add_version(client, name, original)
        move_to(client, name, 1, None)
    return folder


@pytest.fixture(scope="module")
def server(project: Path, prefect_server: None) -> Iterator[None]:
    """`python -m flows` in the project."""
    from prefect.settings import get_current_settings

    delete_deployments()
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    paths = {"PYTHONPATH": f"{project}{os.pathsep}{ROOT}", "PREFECT_RUNNER_POLL_FREQUENCY": "1"}
    log = project / "log.txt"
    with log.open("w") as out:
        command = [sys.executable, "-m", "flows"]
        program = subprocess.Popen(
            command, cwd=project, env=os.environ | settings | paths, stdout=out, stderr=out, start_new_session=True
        )
    try:
        wait_until(lambda: "Serving cotpd-promote/champion" in log.read_text(), "the flow is served")
        yield
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait(LIMIT)


@pytest.fixture(scope="module")
def prefect(prefect_server):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture(scope="module")
def suspended(server, prefect) -> dict[str, object]:
    """The id of a run that waits for a person, by the model's name; all were started at once."""
    deployment = prefect.read_deployment_by_name("cotpd-promote/champion")
    runs = {}
    for name in NAMES:
        parameters = {"name": name, "approval": True}
        runs[name] = prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters).id
    for name, run in runs.items():
        wait_until(lambda run=run: prefect.read_flow_run(run).state.name == "Suspended", f"{name} is suspended")
    return runs


def answer(prefect, run, name, **changes):
    """Answer as a person does in the UI; return the final state."""
    change = f"{name}: version 2, in place of version 1"
    prefect.resume_flow_run(run, run_input={"approve": True, "name": "Grace", "change": change} | changes)
    wait_until(lambda: prefect.read_flow_run(run).state.is_final(), "the run has ended")
    return prefect.read_flow_run(run).state


def add_version(client, name, original) -> int:
    """Register the files of a version of cotpd-ner under another name, as the challenger; return the number."""
    version = client.get_model_version("cotpd-ner", str(original))
    with use_store(client):
        number = client.create_model_version(name, version.source, version.run_id, tags=version.tags).version
    client.set_registered_model_alias(name, "challenger", number)
    return int(number)


def move_to(client, name, version, champion):
    move_champion(client, name, version, expected_champion=champion, decision=Decision(MoveKind.PROMOTION))


@pytest.fixture
def client(project):
    return connect(RegisterParams(), project)


def test_the_table_is_an_artifact_of_the_waiting_run_and_nothing_has_moved(suspended, prefect, client):
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    of_this_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[suspended["approved"]]))
    (artifact,) = [row for row in prefect.read_artifacts(artifact_filter=of_this_run) if row.key == "cotpd-gate"]

    assert artifact.data.startswith("## Gate: passed")
    assert "| score | passed |" in artifact.data
    assert read_champion(client, "approved") == 1


def test_an_approved_version_becomes_champion_by_the_person_who_approved(suspended, prefect, client):
    state = answer(prefect, suspended["approved"], "approved", reason="reads well")

    assert (state.name, state.message) == ("Promoted", "models:/approved@champion is version 2")
    assert read_champion(client, "approved") == 2
    move = read_history(client, "approved")[-1]
    assert move.who.startswith("Grace, through ")
    assert (move.reason, move.from_version, move.to_version) == ("reads well", 1, 2)


def test_a_rejection_is_recorded_with_its_reason_and_moves_nothing(suspended, prefect, client):
    state = answer(prefect, suspended["rejected"], "rejected", approve=False, reason="misses names")

    assert state.name == "Rejected"
    assert state.is_failed()  # so that `prefect deployment run --watch` ends with 1
    tags = find_version(client, "rejected", "2").tags
    (text,) = [value for key, value in tags.items() if key.startswith("rejection.")]
    assert text.startswith("rejected by Grace at ")
    assert text.endswith(": misses names")
    assert read_champion(client, "rejected") == 1


def test_an_approval_is_void_if_the_champion_moved_meanwhile(suspended, prefect, client):
    move_to(client, "overtaken", add_version(client, "overtaken", GOOD), 1)

    state = answer(prefect, suspended["overtaken"], "overtaken")

    assert state.name == "Void"
    assert "version 3" in state.message
    assert read_champion(client, "overtaken") == 3
    assert len(read_history(client, "overtaken")) == 2


@pytest.fixture
def run_flow(project, prefect_server, monkeypatch):
    """Run the flow in this process, without a person."""
    from flows import champion

    monkeypatch.setattr(champion, "ROOT", project)
    monkeypatch.chdir(project)
    return lambda **parameters: champion.promote(return_state=True, **parameters)


def test_a_version_that_the_gate_refuses_asks_no_person(run_flow, client):
    state = run_flow(name="worse", approval=True)

    assert state.name == "Refused"
    assert state.is_failed()
    assert "score" in state.message
    assert read_champion(client, "worse") == 1


def test_a_champion_is_not_promoted_again(run_flow):
    state = run_flow(name="worse", version="1")

    assert state.name == "Unchanged"
    assert state.is_completed()


def test_without_approval_a_version_that_passes_is_promoted_at_once(run_flow, client):
    add_version(client, "worse", GOOD)

    state = run_flow(name="worse")

    assert state.name == "Promoted"
    assert read_champion(client, "worse") == 3
