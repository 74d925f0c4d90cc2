"""A step that DVC runs: it ends with DVC, alone in its stage, and DVC records no input that was edited meanwhile."""

import fcntl
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import flows.full
from cotpd.cli.params_editor import write_values
from steps.late_edits import refuse_late_edit
from steps.under_dvc import is_alive
from tests.flows.programs import LIMIT, run_dvc, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
STEP = """
import os, pathlib, time
from steps.common import main
def run(params):
    pathlib.Path("part").write_text(str(os.getpid()))
    pathlib.Path("part").rename("pid")
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    pathlib.Path("out.txt").write_text(pathlib.Path("folder/in.txt").read_text())
main(run)
"""
GRAPH = """stages:
  copy:
    cmd: python -m steps.copy
    deps: [folder]
    params: [seed, train.epochs]
    outs: [out.txt]
"""


@pytest.fixture
def project(root, tmp_path):
    """A project whose only step copies a file once it is told to go on."""
    shutil.copytree(root / "steps", tmp_path / "steps", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "steps/copy.py").write_text(STEP)
    shutil.copy(root / "params.yaml", tmp_path)
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / ".dvcignore").write_text("/folder/notes.txt\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/in.txt").write_text("first")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, timeout=60)
    run_dvc(tmp_path, "init", "-q")
    return tmp_path


@pytest.fixture
def environment(root, project):
    paths = {"PYTHONPATH": f"{project}{os.pathsep}{root}", "DVC_NO_ANALYTICS": "1"}
    return os.environ | paths | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def repro(project, environment):
    """Start `dvc repro` and wait until its step runs; return the process."""
    programs = []

    def start(*, waits=True):
        with (project / "log.txt").open("a") as log:
            command = [sys.executable, "-m", "dvc", "repro"]
            programs.append(
                subprocess.Popen(
                    command, cwd=project, env=environment, stdout=log, stderr=log, start_new_session=True
                )
            )
        if waits:
            wait_until((project / "pid").exists, "the step runs")
        return programs[-1]

    yield start
    for program in programs:
        with suppress(ProcessLookupError):
            os.killpg(program.pid, 9)
        program.wait(LIMIT)


@pytest.mark.parametrize("edited", ["in.txt", "new.txt"])
def test_an_input_that_is_edited_meanwhile_is_not_recorded_and_the_next_run_reads_it(project, repro, edited):
    program = repro()
    (project / "folder" / edited).write_text("other")
    (project / "go").touch()

    status = program.wait(LIMIT)

    assert status != 0
    log = (project / "log.txt").read_text()
    assert f"copy: edited while it ran: folder/{edited}" in " ".join(log.split())
    assert not (project / "dvc.lock").exists()
    assert repro().wait(LIMIT) == 0
    assert (project / "out.txt").read_text() == (project / "folder/in.txt").read_text()
    assert "up to date" in run_dvc(project, "status")


def test_a_parameter_that_is_edited_meanwhile_is_named(project, repro):
    program = repro()
    write_values(project / "params.yaml", {"seed": 14, "train": {"epochs": 2}})
    (project / "go").touch()

    status = program.wait(LIMIT)

    assert status != 0
    log = (project / "log.txt").read_text()
    assert "edited while it ran: params.yaml: seed, params.yaml: train.epochs" in " ".join(log.split())


def test_edits_of_what_the_stage_does_not_watch_harm_nothing(project, repro):
    program = repro()
    write_values(project / "params.yaml", {"baseline": {"epochs": 2}})
    (project / "folder/notes.txt").write_text("ignored by DVC")
    (project / "folder/__pycache__").mkdir()
    (project / "go").touch()

    assert program.wait(LIMIT) == 0


TWO_STAGES = """stages:
  copy:
    cmd: python -m steps.copy && (test ! -e late.txt || mv late.txt folder/in.txt)
    deps: [folder]
    outs: [out.txt]
  copy-again:
    cmd: python -m steps.again
    deps: [out.txt]
    outs: [again.txt]
"""


@pytest.fixture
def late_edit(project):
    """An edit of the first stage's input as its step has ended, before DVC hashes it; a second stage follows."""
    (project / "dvc.yaml").write_text(TWO_STAGES)
    again = STEP.replace("out.txt", "again.txt").replace("folder/in.txt", "out.txt")
    (project / "steps/again.py").write_text(again)
    (project / "go").touch()
    (project / "late.txt").write_text("late")


def test_an_input_that_is_edited_before_dvc_hashes_it_is_forgotten_as_the_next_step_begins(
    project, repro, late_edit
):
    status = repro().wait(LIMIT)

    assert status != 0
    log = " ".join((project / "log.txt").read_text().split())
    assert "copy: edited as it ended: folder/in.txt" in log
    assert not (project / "again.txt").exists()
    assert repro().wait(LIMIT) == 0
    assert (project / "again.txt").read_text() == "late"
    assert "up to date" in run_dvc(project, "status")


def test_a_flow_names_an_input_that_is_edited_before_dvc_hashes_it_and_the_next_one_reads_it(
    project, environment, late_edit, prefect_server, monkeypatch
):
    monkeypatch.setattr(flows.full, "ROOT", project)
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])

    state = flows.full.full(return_state=True)

    assert state.is_failed()
    assert "copy: edited as it ended: folder/in.txt" in state.message
    assert flows.full.full(return_state=True).is_completed()
    assert (project / "again.txt").read_text() == "late"


def test_a_flow_takes_outputs_from_the_run_cache_whatever_was_edited_since_a_run_by_hand(
    project, repro, environment, prefect_server, monkeypatch
):
    (project / "go").touch()
    for text in ("second", "first"):
        (project / "folder/in.txt").write_text(text)
        assert repro().wait(LIMIT) == 0
    (project / "folder/in.txt").write_text("second")
    monkeypatch.setattr(flows.full, "ROOT", project)
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])

    state = flows.full.full(return_state=True)

    assert state.is_completed(), state.message
    assert (project / "out.txt").read_text() == "second"
    assert "up to date" in run_dvc(project, "status")


def test_an_edit_after_dvc_has_hashed_the_inputs_costs_nothing(project, repro):
    (project / "go").touch()
    assert repro().wait(LIMIT) == 0
    (project / "folder/in.txt").write_text("later")
    lock = (project / "dvc.lock").read_text()

    refuse_late_edit("copy", project)

    assert (project / "dvc.lock").read_text() == lock


@pytest.mark.parametrize("number", [9, 15])
def test_a_step_ends_with_the_dvc_that_ran_it(project, repro, number):
    program = repro()
    step = psutil.Process(int((project / "pid").read_text()))

    program.send_signal(number)

    program.wait(LIMIT)
    wait_until(lambda: not is_alive(step), "the step ends")
    (project / "go").touch()
    assert repro().wait(LIMIT) == 0


def test_a_step_waits_until_the_one_before_it_has_ended(project, repro):
    (project / "go").touch()
    with (project / ".dvc/tmp/cotpd-copy.lock").open("w") as earlier:
        fcntl.flock(earlier, fcntl.LOCK_EX)
        program = repro(waits=False)
        wait_until(lambda: "waiting for an earlier run" in (project / "log.txt").read_text(), "the step waits")
        assert not (project / "pid").exists()

    assert program.wait(LIMIT) == 0
