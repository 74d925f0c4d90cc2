"""Stages that do not wait for one another run at once; outputs stay the same, and nothing outlives a killed run."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import flows.full
import flows.stage_run
from flows.scheduling import Slots
from steps.graph import Step, is_up_to_date
from steps.under_dvc import is_alive
from tests.flows.programs import LIMIT, run_dvc, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Modes: meet waits until every stage of its sort has begun; alone fails if another stage is at work; hang sleeps.
STEP = """
import os, pathlib, sys, time
name, mode, out, *inputs = sys.argv[1:]
open("executed.txt", "a").write(name + chr(10))
pathlib.Path(f"part-{name}").write_text(str(os.getpid()))
pathlib.Path(f"part-{name}").rename(f"pid-{name}")
if mode == "alone":
    os.close(os.open("busy", os.O_CREAT | os.O_EXCL))
    time.sleep(0.2)
    os.remove("busy")
until = time.monotonic() + (600 if mode == "hang" else 270)
while mode == "hang" or mode == "meet" and not {"pid-left", "pid-right"} <= set(os.listdir()):
    if time.monotonic() > until: sys.exit("the other one has not begun")
    time.sleep(0.05)
if mode == "once" and not os.path.exists("tried"):
    open("tried", "w").close()
    sys.exit("the first try fails")
pathlib.Path(out).write_text(name + "".join(pathlib.Path(i).read_text() for i in inputs))
"""
LEAVES = ("left", "right")


def write_stage(name: str, mode: str, inputs: tuple[str, ...] = (), meta: str = "{}") -> str:
    files = " ".join(f"{other}.txt" for other in inputs)
    deps = "[" + ", ".join(f"{other}.txt" for other in inputs) + "]"
    return (
        f"  {name}:\n    cmd: python step.py {name} {mode} {name}.txt {files}\n"
        f"    deps: {deps}\n    outs: [{name}.txt]\n    meta: {meta}\n"
    )


@pytest.fixture
def write_graph(project: Path):
    """Write a graph of the leaves left and right, and top, which reads both."""
    (project / "step.py").write_text(STEP)

    def write(mode: str, meta: str = "{}") -> Path:
        leaves = "".join(write_stage(name, mode, meta=meta) for name in LEAVES)
        (project / "dvc.yaml").write_text("stages:\n" + leaves + write_stage("top", "plain", LEAVES))
        return project

    return write


@pytest.fixture
def run_flow(project: Path, prefect_server: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flows.full, "ROOT", project)
    monkeypatch.setattr(flows.stage_run, "_RETRY_DELAY", 0.1)
    return lambda **parameters: flows.full.full(return_state=True, **parameters)


def read_executed(project: Path) -> list[str]:
    path = project / "executed.txt"
    return sorted(path.read_text().split()) if path.exists() else []


def test_stages_that_do_not_wait_for_one_another_run_at_once(write_graph, run_flow) -> None:
    project = write_graph("meet")

    state = run_flow(jobs=2)

    assert state.is_completed(), state.message
    assert read_executed(project) == ["left", "right", "top"]
    assert "up to date" in run_dvc(project, "status")


def test_of_stages_that_compute_one_runs_at_a_time(write_graph, run_flow) -> None:
    project = write_graph("alone", "{computes: true}")

    state = run_flow(jobs=4)

    assert state.is_completed(), state.message
    assert read_executed(project) == ["left", "right", "top"]


def test_two_stages_that_compute_run_at_once_where_two_trainings_are_allowed(write_graph, run_flow) -> None:
    write_graph("meet", "{computes: true}")

    state = run_flow(jobs=4, trainings=2)

    assert state.is_completed(), state.message


def test_outputs_and_lock_file_do_not_depend_on_the_number_of_jobs(write_graph, run_flow) -> None:
    project = write_graph("plain")
    files = ["dvc.lock", "left.txt", "right.txt", "top.txt"]
    run_flow(jobs=1)
    expected = [sorted((project / name).read_text().splitlines()) for name in files]
    for name in files:
        (project / name).unlink()
    (project / ".dvc/cache").rename(project / "cache-of-one-job")

    run_flow(jobs=3)

    assert [sorted((project / name).read_text().splitlines()) for name in files] == expected
    assert read_executed(project) == sorted(["left", "right", "top"] * 2)


def test_a_failure_fails_the_run_and_lets_the_other_stages_finish(write_graph, run_flow) -> None:
    project = write_graph("plain")
    graph = (project / "dvc.yaml").read_text().replace("step.py left plain", "missing.py left plain")
    (project / "dvc.yaml").write_text(graph)

    state = run_flow(jobs=2)

    assert state.is_failed()
    assert "left failed" in state.message
    assert read_executed(project) == ["right"]


def test_a_stage_that_may_be_retried_is(write_graph, run_flow) -> None:
    project = write_graph("once", "{retries: 1}")
    (project / "dvc.yaml").write_text("stages:\n" + write_stage("left", "once", meta="{retries: 1}"))

    state = run_flow()

    assert state.is_completed(), state.message
    assert read_executed(project) == ["left", "left"]


def test_a_stage_that_may_cost_money_is_tried_once(write_graph, run_flow) -> None:
    project = write_graph("once")
    (project / "dvc.yaml").write_text("stages:\n" + write_stage("left", "once"))

    state = run_flow()

    assert state.is_failed()
    assert read_executed(project) == ["left"]


def test_only_the_chosen_stages_run_and_those_that_they_need(write_graph, run_flow) -> None:
    project = write_graph("plain")

    state = run_flow(stages=["left"])

    assert state.is_completed(), state.message
    assert read_executed(project) == ["left"]


def test_a_run_ends_when_its_hours_are_over_and_its_steps_with_it(write_graph, run_flow) -> None:
    project = write_graph("hang")

    state = run_flow(hours=5 / 3600)

    assert (state.name, state.is_failed()) == ("TimedOut", True)
    assert "has not ended within 0.00138889 hours" in state.message
    wait_until(lambda: not any(map(psutil.pid_exists, read_numbers(project))), "the steps are gone")


def read_numbers(project: Path) -> list[int]:
    return [int(path.read_text()) for path in project.glob("pid-*")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_leaves_no_process_of_any_of_its_stages(checkout, start, number) -> None:
    (checkout / "step.py").write_text(STEP)
    stages = "".join(write_stage(name, "hang") for name in LEAVES)
    (checkout / "dvc.yaml").write_text("stages:\n" + stages)
    flow = start("-c", "from flows.full import full; full()")
    wait_until(lambda: len(read_numbers(checkout)) == 2, "both stages run")
    children = psutil.Process(flow.pid).children(recursive=True)
    assert set(read_numbers(checkout)) <= {process.pid for process in children}

    flow.send_signal(number)

    flow.wait(LIMIT)
    steps = [process for process in children if process.pid in read_numbers(checkout)]
    wait_until(lambda: not any(map(is_alive, steps)), "the steps end")


def test_a_stage_that_dvc_runs_elsewhere_is_waited_for_and_not_run_again(write_graph, run_flow) -> None:
    project = write_graph("meet")  # left waits until right has begun
    command = [sys.executable, "-m", "dvc", "repro", "left"]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL) as elsewhere:
        wait_until((project / "pid-left").exists, "DVC runs left")

        state = run_flow(jobs=2)

        assert elsewhere.wait(LIMIT) == 0
    assert state.is_completed(), state.message
    assert read_executed(project) == ["left", "right", "top"]


def test_the_lock_of_another_dvc_process_is_waited_for(project: Path) -> None:
    from dvc.repo import Repo

    run_dvc(project, "repro")
    reasons = []
    with Repo(str(project)) as repo:
        repo.lock.lock()

        def release(reason: str) -> None:
            reasons.append(reason)
            repo.lock.unlock()

        is_current = is_up_to_date("first", project, release)

    assert is_current
    assert reasons == ["another DVC process holds DVC's lock"]


COMPUTES = {name: Step(name, "", (), computes=True) for name in ("caption", "baseline", "train")}
TEACH = Step("teach", "", (), computes=True)


def test_stages_that_compute_are_spread_over_the_gpus() -> None:
    slots = Slots(2, ("0", "1"))

    admitted = [slots.take(step) for step in COMPUTES.values()]

    assert admitted == [True, True, False]
    assert slots.list_variables("caption") == {"CUDA_VISIBLE_DEVICES": "0", "COTPD_TRAININGS": "1"}
    assert slots.list_variables("baseline") == {"CUDA_VISIBLE_DEVICES": "1", "COTPD_TRAININGS": "1"}


def test_a_stage_of_several_trainings_takes_every_free_slot_and_gives_all_of_them_back() -> None:
    slots = Slots(3, ("0", "1"))
    slots.take(COMPUTES["baseline"])

    slots.take(Step("teach", "", (), computes=True, spreads=True))

    assert slots.list_variables("teach") == {"CUDA_VISIBLE_DEVICES": "1,0", "COTPD_TRAININGS": "2"}
    assert not slots.take(COMPUTES["train"])
    slots.release("teach")
    assert [slots.take(COMPUTES[name]) for name in ("caption", "train")] == [True, True]


def test_a_slot_that_is_given_back_is_given_to_the_next_stage() -> None:
    slots = Slots(1)
    slots.take(COMPUTES["caption"])

    slots.release("caption")

    assert slots.take(COMPUTES["train"])


def test_a_stage_that_computes_alone_may_use_the_whole_machine() -> None:
    slots = Slots(1)

    slots.take(TEACH)

    assert slots.list_variables("teach") == {}


def test_a_stage_that_waits_for_a_server_needs_no_slot() -> None:
    slots = Slots(1)
    slots.take(TEACH)

    assert slots.take(Step("ask", "", ()))
