"""A study from its file to its verdict, with real trainings of tiny models in real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from typer.testing import CliRunner

from cotpd.cli.study import app
from cotpd.studies.children import Runner
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.verdict import read_result
from tests.builders import read_jsonl
from tests.studies.study_files import write_study_file

pytestmark = pytest.mark.slow

CELLS = [
    {"name": "text", "model": "baseline"},
    {"name": "view", "model": "teacher"},
    {"name": "student"},
    {"name": "with caption", "reads": "caption"},
    {"name": "control", "model": "control"},
    {"name": "broken", "params": {"student.encoder": "no-such-encoder"}},
    {"name": "bare", "data": {"augmented": ["image"]}},
]
COMPARISONS = [
    {"first": "student", "second": "control", "claim": "The knowledge itself"},
    {"first": "student", "second": "text", "claim": "Distillation"},
    {"first": "student", "second": "broken", "claim": "Nothing"},
]
MODELS = "studies/cache/*/model"


@pytest.fixture(scope="module")
def ran(tables: Path, tmp_path_factory: pytest.TempPathFactory):
    """A project in which a study with one cell that fails and one that lacks something has run, and its output."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(tables, folder, dirs_exist_ok=True)
    write_study_file(
        folder, cells=CELLS, comparisons=COMPARISONS, seeds=[1], params={"distil.alpha": 2.0, "teach.seed": 1}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, CliRunner().invoke(app, ["run", "mine.yaml", "--jobs", "2"])


def read_mine(folder: Path):
    return read_result(folder / "studies/mine/result.json")


def test_every_cell_that_can_run_has_a_score_for_each_seed(ran):
    folder, _ = ran

    cells = {cell.name: cell for cell in read_mine(folder).cells}

    for name in ("text", "view", "student", "with caption", "control"):
        assert list(cells[name].f1) == [1]
        assert not cells[name].problem
    assert cells["with caption"].sees == "text, caption"


def test_a_cell_that_fails_is_named_with_its_reason_and_the_exit_status_is_1(ran):
    folder, outcome = ran

    cells = {cell.name: cell for cell in read_mine(folder).cells}

    assert outcome.exit_code == 1
    assert "no-such-encoder" in cells["broken"].problem
    assert cells["broken"].f1 == {}
    assert "left out: there are no augmented posts of the kind image" in cells["bare"].problem
    assert "no-such-encoder" in (folder / "studies/mine/study.md").read_text("utf-8")


def test_differences_are_tested_and_corrected_for_those_that_could_be(ran):
    folder, outcome = ran

    verdicts = read_mine(folder).verdicts

    assert [verdict.seeds for verdict in verdicts] == [1, 1, 0]
    assert all(verdict.p_holm >= verdict.p_value for verdict in verdicts[:2])
    assert verdicts[2].problem == "broken has no figures"
    assert "The knowledge itself: " in outcome.stdout
    assert "after Holm" in outcome.stdout


def test_the_result_is_a_page_with_its_picture(ran):
    folder, _ = ran

    page = (folder / "studies/mine/study.md").read_text("utf-8")

    assert "One seed: " in page.replace("\\", "")
    assert "picture.png" in page
    assert "no-such-encoder" in (folder / "studies/mine/study.html").read_text("utf-8")
    assert (folder / "studies/mine/picture.png").read_bytes().startswith(b"\x89PNG")


def test_a_study_writes_to_its_own_folder_alone_so_that_a_run_of_the_pipeline_may_go_on_beside_it(ran, tables):
    folder, _ = ran

    own = ("studies", "mine.yaml", "ledger.db")  # of the ledger, which is made for many processes, it reads costs

    def read_files(root):
        paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
        return {path: (root / path).read_bytes() for path in paths if not path.parts[0].startswith(own)}

    assert read_files(folder) == read_files(tables)


def test_teachers_stay_and_the_models_of_students_and_baselines_are_removed(ran):
    folder, _ = ran

    roles = [json.loads((path.parent / "job.json").read_text("utf-8"))["role"] for path in folder.glob(MODELS)]

    assert set(roles) == {"teacher"}


def test_run_again_it_trains_nothing_but_what_failed_and_finds_the_same(ran, monkeypatch):
    folder, _ = ran
    monkeypatch.chdir(folder)
    before = read_mine(folder)
    monkeypatch.setattr(Runner, "run", lambda runner: runner.failures.update(dict.fromkeys(runner.jobs, "again")))

    outcome = CliRunner().invoke(app, ["run", "mine.yaml"])

    after = read_mine(folder)
    assert "jobs      4 to do (2 trainings)" in outcome.stderr  # of the cell that failed alone
    assert after.verdicts == before.verdicts
    assert [cell.f1 for cell in after.cells] == [cell.f1 for cell in before.cells]


def test_another_study_takes_what_the_first_one_trained(ran, monkeypatch):
    folder, _ = ran
    monkeypatch.chdir(folder)
    write_study_file(
        folder, "second", cells=CELLS[:3], comparisons=COMPARISONS[1:2], seeds=[1], params={"teach.seed": 1}
    )

    outcome = CliRunner().invoke(app, ["plan", "second.yaml"])

    assert "jobs      2 to do (1 training)" in outcome.stdout  # alpha is another; teacher and baseline are there
    assert "duration  about" in outcome.stdout


def test_show_prints_what_was_found_as_tables_json_and_markdown(ran, monkeypatch):
    folder, _ = ran
    monkeypatch.chdir(folder)

    table, as_json, page = (
        CliRunner().invoke(app, ["show", "mine.yaml", *options]).stdout
        for options in ([], ["--json"], ["--markdown"])
    )

    assert "The knowledge itself" in table
    assert json.loads(as_json)["answer"].startswith("The knowledge itself: ")
    assert page == (folder / "studies/mine/study.md").read_text("utf-8")


def test_its_page_is_built_again_from_the_result_with_the_same_bytes(ran, monkeypatch):
    folder, _ = ran
    monkeypatch.chdir(folder)

    CliRunner().invoke(app, ["show", "mine.yaml", "--html", "again.html"])

    assert (folder / "again.html").read_bytes() == (folder / "studies/mine/study.html").read_bytes()
    assert read_mine(folder).seconds > 0
    assert all(cell.seconds > 0 for cell in read_mine(folder).cells if cell.f1)


def test_a_study_that_did_not_run_is_not_shown(project):
    outcome = CliRunner().invoke(app, ["show", "knowledge"])

    assert "cotpd study run knowledge" in str(outcome.exception)


def test_two_studies_do_not_run_at_once(project, write_study):
    name = write_study(cells=[{"name": "text", "model": "baseline"}])
    cache = ResultsCache(project / "studies/cache")
    cache.folder.mkdir(parents=True)

    with FileLock(cache.folder / ".lock"):
        outcome = CliRunner().invoke(app, ["run", name])

    assert "another study is running" in str(outcome.exception)


def start_long_study(project: Path) -> tuple[subprocess.Popen[bytes], psutil.Process]:
    """Start a study that trains for minutes, and return it and its child once that has written a checkpoint."""
    cells = [{"name": "text", "model": "baseline", "params": {"baseline.epochs": 2000}}]
    write_study_file(project, "long", cells=cells)
    command = [sys.executable, "-c", "from cotpd.cli.main import main; main()", "study", "run", "long.yaml"]
    study = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not list(project.glob("studies/cache/*/.model.resume")):
        assert time.monotonic() < deadline
        assert study.poll() is None
        time.sleep(0.1)
    [child] = psutil.Process(study.pid).children()
    return study, child


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130), (signal.SIGINT, 130)])
def test_a_study_that_is_ended_leaves_no_process_and_its_training_goes_on_later(project, number, status):
    study, child = start_long_study(project)

    os.kill(study.pid, number)

    assert study.wait(60) == status
    child.wait(60)
    assert not child.is_running()
    [state] = project.glob("studies/cache/*/.model.resume/state.json")
    assert len(json.loads(state.read_text("utf-8"))["history"]) >= 1


def test_a_changed_table_is_noticed_by_the_process_of_a_job(project, write_study, monkeypatch):
    name = write_study(cells=[{"name": "text", "model": "baseline"}])
    posts = read_jsonl(project / "data/prepared/train.jsonl")
    start = Runner._start_child

    def change_and_start(runner: Runner, keys: list[str]) -> None:
        rows = [json.dumps(row) + "\n" for row in posts[1:]]
        (project / "data/prepared/train.jsonl").write_text("".join(rows), "utf-8")
        start(runner, keys)

    monkeypatch.setattr(Runner, "_start_child", change_and_start)

    outcome = CliRunner().invoke(app, ["run", name])

    assert outcome.exit_code == 1
    assert "the tables have changed since the study began" in outcome.stdout
