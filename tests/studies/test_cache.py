"""What is trained again: outputs that are gone, cut or of other code; and what is not, kill -9 included."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cotpd.cli.study import app
from cotpd.studies import jobs as jobs_module
from cotpd.studies.results_cache import ResultsCache
from cotpd.studies.schedule import make_schedule
from cotpd.studies.study import read_study
from cotpd.studies.verdict import read_result
from tests.studies.jobs_here import run_jobs_here
from tests.studies.study_files import write_study_file

CELLS = [{"name": "text", "model": "baseline"}, {"name": "student"}]


@pytest.fixture(scope="module")
def finished(tables: Path, params, tmp_path_factory) -> Path:
    """A project in which all jobs of a study are done."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(tables, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        named = read_study(write_study_file(folder, cells=CELLS), params)
        run_jobs_here(make_schedule(named, ResultsCache(folder / "cache")), ResultsCache(folder / "cache"))
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path, monkeypatch) -> Path:
    """A copy of that project to do harm to."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plan_again(project: Path, params):
    cache = ResultsCache(project / "cache")
    return make_schedule(read_study(str(project / "mine.yaml"), params), cache), cache


def find_job(schedule, kind, role):
    [job] = [job for job in schedule.jobs.values() if (job.kind, job.role) == (kind, role)]
    return job


def list_missing(schedule):
    return sorted((job.kind, job.role) for job in schedule.missing.values())


def test_what_is_there_is_not_done_again(copied, params):
    schedule, _ = plan_again(copied, params)

    assert len(schedule.jobs) == 6
    assert schedule.missing == {}


PREDICTED_ALONE = [("predict", "student")]
TAUGHT = [("predict", "student"), ("targets", "student"), ("train", "student")]
LEARNT = [("predict", "student"), ("train", "student")]


@pytest.mark.parametrize("harm", ["removed", "emptied", "cut", "longer"])
def test_predictions_that_are_no_longer_whole_are_made_again(copied, params, harm):
    schedule, cache = plan_again(copied, params)
    path = cache.locate_output(find_job(schedule, "predict", "student").key, "predict")
    content = path.read_bytes()
    damaged = {"emptied": b"", "cut": content[:-40], "longer": content + b"{", "removed": b""}
    path.write_bytes(damaged[harm])
    if harm == "removed":
        path.unlink()

    again, _ = plan_again(copied, params)
    missing = list_missing(again)
    run_jobs_here(again, cache)

    assert missing == PREDICTED_ALONE
    assert path.read_bytes() == content


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seconds": 1}'])
def test_a_job_whose_record_is_damaged_is_done_again(copied, params, text):
    schedule, cache = plan_again(copied, params)
    (cache.locate(find_job(schedule, "predict", "student").key) / "done.json").write_text(text, "utf-8")

    again, _ = plan_again(copied, params)

    assert list_missing(again) == PREDICTED_ALONE


@pytest.mark.parametrize(
    ("kind", "role", "missing"),
    [("predict", "student", PREDICTED_ALONE), ("train", "teacher", []), ("targets", "student", [])],
)
def test_a_removed_entry_is_made_again_only_if_its_output_is_still_needed(copied, params, kind, role, missing):
    schedule, cache = plan_again(copied, params)
    shutil.rmtree(cache.locate(find_job(schedule, kind, role).key))

    again, _ = plan_again(copied, params)

    assert list_missing(again) == missing


def test_cut_soft_targets_and_a_cut_teacher_are_made_again_for_the_next_student(copied, params):
    schedule, cache = plan_again(copied, params)
    for kind, role, name in (
        ("targets", "student", "targets.safetensors"),
        ("train", "teacher", "model.safetensors"),
    ):
        path = cache.locate_output(find_job(schedule, kind, role).key, kind) / name
        path.write_bytes(path.read_bytes()[:-100])
    write_study_file(copied, cells=[*CELLS, {"name": "more", "params": {"distil.alpha": 2.0}}])

    again, _ = plan_again(copied, params)
    missing = list_missing(again)
    run_jobs_here(again, cache)

    assert missing == sorted([*TAUGHT, ("train", "teacher")])


def test_changed_code_makes_everything_stale(copied, params, monkeypatch):
    monkeypatch.setattr(jobs_module, "digest_code", lambda: "other code")

    again, _ = plan_again(copied, params)

    assert len(again.missing) == len(again.jobs) == 6


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_a_number_of_jobs_that_means_nothing_is_refused(project, jobs):
    outcome = CliRunner().invoke(app, ["run", "knowledge", "--jobs", jobs])

    assert outcome.exit_code == 2
    assert "--jobs" in outcome.output


COMMAND = [sys.executable, "-c", "from cotpd.cli.main import main; main()", "study", "run", "mine.yaml"]


def start_study(project: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(COMMAND, cwd=project, stdout=output, stderr=output)


@pytest.mark.slow
def test_after_kill_9_in_the_middle_nothing_is_trained_twice(project, write_study):
    write_study(
        cells=[{"name": f"text {n}", "model": "baseline", "params": {"baseline.epochs": n}} for n in (1, 2)]
    )
    first_log, second_log = project / "first.log", project / "second.log"
    study = start_study(project, first_log)
    deadline = time.monotonic() + 240
    while b"[1/4]" not in first_log.read_bytes():
        assert time.monotonic() < deadline
        assert study.poll() is None, first_log.read_text()
        time.sleep(0.05)
    os.kill(study.pid, signal.SIGKILL)
    study.wait(60)

    status = start_study(project, second_log).wait(240)

    titles = re.findall(r"^\[\d/\d\] (.*): \d+ s$", first_log.read_text() + second_log.read_text(), re.MULTILINE)
    assert status == 0, second_log.read_text()
    assert len(titles) == len(set(titles))
    assert {title for title in titles if "baseline" in title} == {"text 1: baseline 1", "text 2: baseline 1"}
    assert all(cell.f1 for cell in read_result(project / "studies/mine/result.json").cells)


@pytest.mark.slow
def test_a_full_disk_fails_its_cell_with_a_sentence_and_what_fits_goes_on(project, write_study):
    write_study(cells=[{"name": "text", "model": "baseline"}])
    limited = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *COMMAND]  # files of 8 KB at most

    outcome = subprocess.run(limited, cwd=project, capture_output=True, text=True, timeout=240, check=False)

    assert outcome.returncode == 1
    assert "too large" in outcome.stderr
    assert "Traceback" not in outcome.stderr
