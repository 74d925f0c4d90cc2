"""What Prefect's UI shows of a run: progress as the steps print it, cost, scores and links."""

import json
from pathlib import Path

import pytest

from cotpd import progress
from cotpd.config import Params, load_params
from cotpd.pipeline.workspace import Workspace
from flows.artifacts import StageArtifacts
from flows.publishing import write_results, write_scores
from tests.made_up_runs import make_run, write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
REGISTERED = {
    "name": "cotpd-ner",
    "version": 3,
    "alias": "challenger",
    "uri": "models:/cotpd-ner/3",
    "run_id": "ab12",
}


@pytest.fixture
def client(prefect_server):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client


def read_last_artifact(client, key):
    """Return the newest artifact of a key: the server has those of other tests, and sorts by drawn ids."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    artifacts = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return max(artifacts, key=lambda artifact: artifact.created)


def run_in_flow(function):
    """Call a function inside a flow run, whose artifacts it then writes."""
    from prefect import flow

    flow(name="artifacts")(function)()


@pytest.fixture
def workspace(tmp_path: Path):
    """A workspace in which a version was registered."""
    workspace = Workspace(tmp_path)
    workspace.registered.parent.mkdir(parents=True)
    workspace.registered.write_text(json.dumps(REGISTERED))
    return workspace


@pytest.fixture
def params(root: Path, monkeypatch) -> Params:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return load_params(root / "params.yaml")


def test_the_line_of_a_bar_without_a_terminal_becomes_progress_with_its_facts(
    client, capsys, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(progress, "_EVERY", 0.0)
    with progress.Progress("asking", 8, facts=lambda: {"answered": "2", "cost": "$0.07"}) as bar:
        bar.advance(2)
    (line,) = capsys.readouterr().err.splitlines()

    run_in_flow(lambda: StageArtifacts("ask", tmp_path).watch(line))

    artifact = read_last_artifact(client, "progress-ask-asking")
    assert artifact.data == 25.0
    assert artifact.description == "ask: asking. answered 2, cost $0.07"


def test_a_bar_is_full_when_its_stage_has_ended(client, tmp_path) -> None:
    def run() -> None:
        artifacts = StageArtifacts("caption", tmp_path)
        artifacts.watch("pictures: 10% of 50.")
        artifacts.watch("pictures: 60% of 50.")
        artifacts.complete()

    run_in_flow(run)

    artifact = read_last_artifact(client, "progress-caption-pictures")
    assert artifact.data == 100.0


@pytest.mark.parametrize(
    "line", ["", "ask: 3 requests", "100%", "a: b% of 3.", "INFO: 50% of the posts. Good", "x: 1234% of 5."]
)
def test_other_lines_are_no_progress(line, tmp_path) -> None:
    StageArtifacts("ask", tmp_path).watch(line)  # outside of a run an artifact would fail with a warning


def test_an_artifact_that_cannot_be_written_fails_no_stage(client, tmp_path) -> None:
    logged: list[str] = []

    def run() -> None:
        StageArtifacts("register", tmp_path / "nowhere").complete()
        logged.append("still running")

    run_in_flow(run)

    assert logged == ["still running"]


def test_results_link_to_the_run_and_the_version_in_mlflow(client, workspace, params) -> None:
    served = params.register_.model_copy(update={"tracking_uri": "https://mlflow.example/"})

    run_in_flow(lambda: write_results(workspace, params.model_copy(update={"register_": served})))

    artifact = read_last_artifact(client, "cotpd-results")
    assert "https://mlflow.example/#/runs/ab12" in artifact.data
    assert "https://mlflow.example/#/models/cotpd-ner/versions/3" in artifact.data
    assert "mlflow ui" not in artifact.data


def test_results_link_to_the_server_that_the_environment_names(client, workspace, params, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.team.example")

    run_in_flow(lambda: write_results(workspace, params))

    artifact = read_last_artifact(client, "cotpd-results")
    assert "https://mlflow.team.example/#/runs/ab12" in artifact.data


def test_results_in_a_file_say_how_to_open_them(client, workspace, params, tmp_path) -> None:
    run_in_flow(lambda: write_results(workspace, params))

    artifact = read_last_artifact(client, "cotpd-results")
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db" in artifact.data


def test_scores_are_the_table_of_cotpd_show_and_the_report_is_linked(client, tmp_path, params) -> None:
    workspace = write_run(make_run(), tmp_path)

    run_in_flow(lambda: write_scores(workspace, params))

    scores = read_last_artifact(client, "cotpd-scores")
    report = read_last_artifact(client, "cotpd-report")
    assert "### Scores on test, percent" in scores.data
    assert workspace.report.resolve().as_uri() in report.data
