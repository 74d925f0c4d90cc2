"""What Prefect's UI shows of a run: progress as the steps print it, cost, scores and links."""

import json
import socket
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from cotpd import progress
from cotpd.config import Params, load_params
from cotpd.pipeline.workspace import Workspace
from cotpd.report.run_record import SourceCost
from flows.artifacts import StageArtifacts
from flows.background_writer import BackgroundWriter
from flows.publishing import add_up, make_results, make_scores
from tests.flows.programs import wait_until
from tests.made_up_runs import make_run, write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
REGISTERED = {
    "name": "cotpd-ner",
    "version": 3,
    "alias": "challenger",
    "uri": "models:/cotpd-ner/3",
    "run_id": "ab12",
}


def read_last_artifact(client, key):
    """Return the newest artifact of a key: the server has those of other tests, and sorts by drawn ids."""
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

    artifacts = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return max(artifacts, key=lambda artifact: artifact.created)


def run_in_flow(function):
    """Call a function inside a flow run, whose artifacts it then writes."""
    from prefect import flow

    flow(name="artifacts")(function)()


def send(artifacts):
    """Send artifacts to the server inside a flow run."""
    writes = [write for _, write in artifacts]
    run_in_flow(lambda: [write() for write in writes])


def run_stage(name, root, use):
    """Use the artifacts of a stage inside a flow run, until all of them are written."""

    def run() -> None:
        with BackgroundWriter() as writer:
            use(StageArtifacts(name, root, writer))
            assert writer.finish(60)

    run_in_flow(run)


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

    run_stage("ask", tmp_path, lambda artifacts: artifacts.watch(line))

    artifact = read_last_artifact(client, "progress-ask-asking")
    assert artifact.data == 25.0
    assert artifact.description == "ask: asking. answered 2, cost $0.07"


def test_a_bar_is_full_when_its_stage_has_ended(client, tmp_path) -> None:
    def run(artifacts: StageArtifacts) -> None:
        artifacts.watch("pictures: 5 of 50 (10%)")
        artifacts.watch("pictures: 30 of 50 (60%)")
        artifacts.complete()

    run_stage("caption", tmp_path, run)

    artifact = read_last_artifact(client, "progress-caption-pictures")
    assert artifact.data == 100.0


def test_all_epochs_of_a_training_share_one_bar(client, tmp_path) -> None:
    run_stage("train", tmp_path, lambda artifacts: artifacts.watch("epoch 3 of 4: 12 of 24 (50%), loss 0.7"))

    artifact = read_last_artifact(client, "progress-train-epochs")
    assert artifact.data == 62.0
    assert artifact.description == "train: epochs. epoch 3 of 4. loss 0.7"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ask: 3 requests",
        "100%",
        "a: b of 3 (4%)",
        "INFO: 1 of 2 (50%) of the posts",
        "x: 61 of 5 (1234%)",
        "caption: 244 of 298 posts with a caption (tags)",
    ],
)
def test_other_lines_are_no_progress(line, tmp_path, monkeypatch) -> None:
    writer = BackgroundWriter()
    monkeypatch.setattr(writer, "submit", lambda name, write: pytest.fail(name))

    StageArtifacts("ask", tmp_path, writer).watch(line)


def test_an_artifact_that_cannot_be_written_fails_no_stage(client, tmp_path) -> None:
    logged: list[str] = []

    def run(artifacts: StageArtifacts) -> None:
        artifacts.complete()
        logged.append("still running")

    run_stage("register", tmp_path / "nowhere", run)

    assert logged == ["still running"]


def test_results_link_to_the_run_and_the_version_in_mlflow(client, workspace, params) -> None:
    served = params.register_.model_copy(update={"tracking_uri": "https://mlflow.example/"})

    send(make_results(workspace, params.model_copy(update={"register_": served})))

    artifact = read_last_artifact(client, "cotpd-results")
    assert "https://mlflow.example/#/runs/ab12" in artifact.data
    assert "https://mlflow.example/#/models/cotpd-ner/versions/3" in artifact.data
    assert "mlflow ui" not in artifact.data


def test_results_link_to_the_server_that_the_environment_names(client, workspace, params, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.team.example")

    send(make_results(workspace, params))

    artifact = read_last_artifact(client, "cotpd-results")
    assert "https://mlflow.team.example/#/runs/ab12" in artifact.data


@pytest.mark.parametrize("store", ["https://u:hunter2@mlflow.example", "postgresql://u:hunter2@db.example/mlflow"])
@pytest.mark.parametrize("in_environment", [True, False])
def test_results_show_no_password_of_the_store(
    client, workspace, params, monkeypatch, store, in_environment
) -> None:
    named = params.register_.model_copy(update={"tracking_uri": store})
    if in_environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)

    send(make_results(workspace, params.model_copy(update={"register_": named})))

    artifact = read_last_artifact(client, "cotpd-results")
    assert "hunter2" not in artifact.data
    if store.startswith("https"):
        assert "https://mlflow.example/#/runs/ab12" in artifact.data
    elif in_environment:
        assert 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI"' in artifact.data


def test_results_in_a_file_say_how_to_open_them(client, workspace, params, tmp_path) -> None:
    send(make_results(workspace, params))

    artifact = read_last_artifact(client, "cotpd-results")
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db" in artifact.data


def test_scores_are_the_table_of_cotpd_show_and_the_report_is_linked(client, tmp_path, params) -> None:
    workspace = write_run(make_run(), tmp_path)

    send(make_scores(workspace, params))

    scores = read_last_artifact(client, "cotpd-scores")
    report = read_last_artifact(client, "cotpd-report")
    assert "### Scores on test, percent" in scores.data
    assert f"`{workspace.report.resolve()}`" in report.data
    assert "file://" not in report.data  # a browser opens no file from a page of a server


@pytest.fixture
def hanging():
    """The address of a server that takes requests and answers none before the test ends, and how many it has."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):  # the test has ended
                while True:
                    connections.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/api", connections
        server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()


def test_a_step_goes_on_while_the_server_hangs(client, hanging, tmp_path) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    address, connections = hanging
    endings: list[bool] = []

    def run() -> None:
        writer = BackgroundWriter()
        artifacts = StageArtifacts("ask", tmp_path, writer)
        with temporary_settings({PREFECT_API_URL: address}):
            for share in range(0, 100, 10):
                artifacts.watch(f"asking: 1 of 50 ({share}%)")
            wait_until(lambda: connections, "the server is asked")
            artifacts.watch("asking: 49 of 50 (99%)")
            artifacts.complete()
            endings.append(writer.finish(0.01))

    run_in_flow(run)

    assert endings == [False]  # all lines were taken, and the first one is not answered yet
    assert connections


def test_of_what_waits_the_newest_alone_is_written(client) -> None:
    writer, is_open, written = BackgroundWriter(), threading.Event(), []
    writer.submit("first", lambda: is_open.wait(60))
    for share in range(100):
        writer.submit("bar", partial(written.append, share))

    is_open.set()

    assert writer.finish(60)
    assert written in ([99], [0, 99])  # the thread may have taken the first one before the others came


def test_gains_have_a_table_of_their_own_so_that_the_page_cuts_none_off(client, tmp_path, params) -> None:
    workspace = write_run(make_run(), tmp_path)

    send(make_scores(workspace, params))

    lines = read_last_artifact(client, "cotpd-scores").data.splitlines()
    headings = [line for line in lines if line.startswith("| row |")]
    assert "| row | gain | 95 % interval | p |" in headings
    assert max(line.count("|") for line in headings) <= 7


def test_costs_end_with_their_sum() -> None:
    costs = [
        SourceCost(source="noun", answers=1000, sent=20_000, received=7, dollars=1.5),
        SourceCost(source="image", answers=2, sent=3, received=4, dollars=0.25),
    ]

    total = add_up(costs)

    assert (total.source, total.answers, total.sent, total.received, total.dollars) == (
        "all",
        1002,
        20_003,
        11,
        1.75,
    )
    assert add_up([*costs, costs[0].model_copy(update={"dollars": None})]).dollars is None
