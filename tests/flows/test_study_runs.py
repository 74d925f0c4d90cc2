"""A study under Prefect: it runs to its answer, trains nothing twice, and a cancelled one leaves no process."""

import json
import shutil
from pathlib import Path

import psutil
import pytest
import yaml

from cotpd.config import Params
from cotpd.studies.study import list_studies, read_study
from cotpd.studies.verdict import read_result
from tests.builders import build_posts, write_encoder, write_jsonl, write_prepared_tables
from tests.flows.programs import wait_until
from tests.studies.study_files import write_study_file

ROOT = Path(__file__).parents[2]
CELLS = [{"name": "text", "model": "baseline"}, {"name": "again", "model": "baseline"}]
COMPARISONS = [{"first": "text", "second": "again", "claim": "Nothing"}]


def write_project(folder: Path) -> None:
    """Write prepared posts, parameters for an encoder of a few kilobytes, and two studies of one training."""
    run = {"epochs": 1, "device": "cpu", "bf16": "off"}
    posts = build_posts(12)
    write_prepared_tables(folder, {"train": posts[:8], "test": posts[8:]})
    write_jsonl(folder / "posts/train.jsonl", [])
    encoder = str(write_encoder(folder / "encoder"))
    values = {
        "data": {"path": "posts"},
        "student": {"encoder": encoder},
        "baseline": run,
        "evaluate": {"device": "cpu"},
    }
    (folder / "params.yaml").write_text(json.dumps(values), "utf-8")
    write_study_file(folder, cells=CELLS, comparisons=COMPARISONS)
    write_study_file(folder, "long", cells=CELLS[:1], params={"baseline.epochs": 2000})


@pytest.fixture(scope="module")
def ran(tmp_path_factory, prefect_server):
    """A project in which a study has run as a flow, and the state of its run."""
    from flows.study_runs import run_study

    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.study_runs.ROOT", folder)
        return folder, run_study("mine.yaml", seeds=[3], return_state=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_ends_with_the_answer_of_its_study(ran):
    folder, state = ran

    result = read_result(folder / "studies/mine/result.json")

    assert state.is_completed()
    assert state.message == result.answer
    assert list(result.cells[0].f1) == [3]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_second_run_trains_nothing_that_is_there(ran, monkeypatch):
    from flows.study_runs import run_study

    folder, _ = ran
    monkeypatch.setattr("flows.study_runs.ROOT", folder)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("studies/cache/*/*")}

    state = run_study("mine.yaml", seeds=[3, 3], return_state=True)

    assert state.is_completed()
    assert {path: path.stat().st_mtime_ns for path in folder.glob("studies/cache/*/*")} == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_of_an_unknown_study_fails_with_the_one_that_was_meant(ran):
    from flows.study_runs import run_study

    state = run_study("knowlege", return_state=True)

    assert state.is_failed()
    assert "did you mean knowledge?" in state.message


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "parameters",
    [{"jobs": 0}, {"jobs": "many"}, {"seeds": ["one"]}, {"seeds": [-1]}, {"split": "train"}],
)
def test_parameters_of_a_wrong_type_are_refused_before_the_run(prefect_server, parameters):
    from prefect.exceptions import ParameterTypeError

    from flows.study_runs import run_study

    with pytest.raises(ParameterTypeError):
        run_study.validate_parameters({"name": "knowledge"} | parameters)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cancelled_deployment_run_ends_every_process_of_its_study(checkout, start, prefect, prefect_server):
    from prefect.client.orchestration import get_client

    write_project(checkout)
    shutil.rmtree(checkout / "studies", ignore_errors=True)
    start("-m", "flows")
    log = checkout / "log.txt"
    wait_until(lambda: log.exists() and "Serving cotpd-study/knowledge" in log.read_text(), "the study is served")
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("cotpd-study/knowledge")
        run = client.create_flow_run_from_deployment(deployment.id, parameters={"name": "long.yaml"}).id
        wait_until(lambda: list(checkout.glob("studies/cache/*/.model.resume")), "an epoch is trained", 270)
        workers = [process for process in psutil.process_iter() if is_worker(process, checkout)]

        prefect("flow-run", "cancel", str(run))

        wait_until(lambda: client.read_flow_run(run).state.is_final(), "the run ends")
        assert client.read_flow_run(run).state.is_cancelled()
    assert workers
    wait_until(lambda: not any(process.is_running() for process in workers), "the training ends")


def is_worker(process: psutil.Process, folder: Path) -> bool:
    try:
        return "cotpd.studies.worker" in process.cmdline() and Path(process.cwd()) == folder
    except psutil.Error:
        return False


def test_work_pools_are_offered_every_study_with_its_question():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text("utf-8"))["deployments"]

    studies = {row["name"]: row for row in deployments if row["entrypoint"] == "flows/study_runs.py:run_study"}

    assert set(studies) == {path.stem for path in list_studies()}
    for name, row in studies.items():
        assert row["parameters"]["name"] == name
        assert row["description"] == read_study(name, Params()).study.question
