"""Batch scoring under Prefect: the deployment of what `cotpd predict --input` does."""

from pathlib import Path

import pytest

from tests.builders import read_jsonl, write_jsonl
from tests.flows.programs import wait_until
from tests.trained_students import TEXT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_a_flow_run_scores_a_file_and_says_so_in_its_state(
    students: dict[str, Path], tmp_path: Path, prefect_server
):
    from flows.score_file import score

    source = write_jsonl(tmp_path / "posts.jsonl", [{"body": TEXT}, {"body": None}])
    output = tmp_path / "spans.jsonl"

    state = score(str(source), str(output), str(students["ner"]), columns={"text": "body"}, return_state=True)

    assert [len(row["entities"]) > 0 for row in read_jsonl(output)] == [True, False]
    assert f"2 rows of {source} scored" in state.message
    assert "1 row without a prediction" in state.message


def test_a_flow_run_that_cannot_score_fails_with_the_reason(tmp_path: Path, prefect_server):
    from flows.score_file import score

    state = score(str(tmp_path / "nowhere.jsonl"), str(tmp_path / "spans.jsonl"), return_state=True)

    assert state.is_failed()
    assert "there is no such file" in state.message


def test_the_deployment_is_served_beside_the_pipeline(students, checkout: Path, start, prefect_server):
    from prefect.client.orchestration import get_client

    write_jsonl(checkout / "posts.jsonl", [{"text": TEXT}])
    (checkout / "params.yaml").write_text("task: ner\n")
    parameters = {"input": "posts.jsonl", "output": "spans.jsonl", "model": str(students["ner"])}
    start("-m", "flows")
    log = checkout / "log.txt"
    wait_until(lambda: log.exists() and "Serving cotpd-score/batch" in log.read_text(), "the deployment is served")

    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("cotpd-score/batch")
        run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters).id
        wait_until(lambda: client.read_flow_run(run).state.is_final(), "the run ends")
        state = client.read_flow_run(run).state

    assert state.is_completed(), state.message
    assert len(read_jsonl(checkout / "spans.jsonl")) == 1
