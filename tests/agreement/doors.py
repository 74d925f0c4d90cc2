"""The two doors as programs: run to their end, or killed at some moment; and what they executed."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil

from tests.agreement.project import Project
from tests.flows.programs import wait_until

Door = Literal["dvc", "flow"]
DOORS: tuple[Door, ...] = ("dvc", "flow")
VICTIMS = {
    "dvc": ("dvc", "step", "group", "dvc by SIGTERM", "Ctrl-C"),
    "flow": ("flow", "guard", "dvc", "step", "group", "everything", "flow by SIGTERM"),
}
"""What can be killed behind each door; by SIGKILL unless it says otherwise."""
LIMIT = 300.0  # seconds for a whole run on a busy machine
_COMMANDS = {
    "dvc": ["-m", "dvc", "repro"],
    "flow": ["-c", "from flows.full import full; full()"],
}
_WORKER = ("-m", "prefect", "worker", "start", "--pool", "cotpd", "--type", "process")
_HALF_WRITTEN = re.compile(r"RWLock-file|'dvc\.lock' is invalid")  # what DVC says of its own two files
_PATTERN = re.compile(r"Running stage '([\w./:]+)'")


class OpenDoor:
    """A run through one door.

    Args:
        project: Where.
        door: Which.
    """

    def __init__(self, project: Project, door: Door) -> None:
        self.project, self.door = project, door
        self.start([*_COMMANDS[door]])

    def start(self, arguments: list[str]) -> None:
        """Start a program of Python, whose lines go into the log."""
        self.log = self.project.root / "log"
        self.log.write_text("")
        with self.log.open("w") as out:
            self.program = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.project.root,
                env=self.project.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def list_executed(self) -> list[str]:
        """Return the stages that have begun to run."""
        return _PATTERN.findall(self.log.read_text("utf-8", "replace"))

    def finish(self) -> int:
        """Wait for the end and return the exit status."""
        return self.program.wait(LIMIT)

    def wait_for_stages(self, count: int) -> None:
        """Wait until so many stages have begun, or the run has ended."""
        wait_until(
            lambda: len(self.list_executed()) >= count or self.program.poll() is not None, "stages begin", LIMIT
        )

    def kill(self, victim: str) -> bool:
        """Kill a victim as soon as it is there; return whether it ever was. Then wait until no process is left."""
        wait_until(lambda: self._find(victim) or self.program.poll() is not None, f"{victim} is there", LIMIT)
        processes = self._find(victim)
        number = {"Ctrl-C": signal.SIGINT}.get(victim, signal.SIGTERM if "SIGTERM" in victim else signal.SIGKILL)
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(number)
        self.finish()
        wait_until(lambda: not list_processes(self.project.root), "no process is left", 60)
        return bool(processes)

    def _find(self, victim: str) -> list[psutil.Process]:
        with suppress(psutil.Error):
            door = psutil.Process(self.program.pid)
            below = [process for process in door.children(recursive=True) if not is_watcher(process)]
            roles = {
                "guard": [process for process in below if has_argument(process, "guard.py")],
                "dvc": [process for process in below if has_argument(process, "repro")],
                "step": [process for process in below if has_argument(process, "steps.")],
            }
            roles["dvc"] = [process for process in roles["dvc"] if process not in roles["guard"]]
            if self.door == "dvc":
                everything = {"dvc": [door], "dvc by SIGTERM": [door], "group": [door, *below]}
                return (roles | everything | {"Ctrl-C": [door, *below]})[victim]
            everything = {"flow": [door], "flow by SIGTERM": [door], "everything": [door, *below]}
            return (roles | everything | {"group": [*roles["dvc"], *roles["step"]]})[victim]
        return []


class OpenWorker(OpenDoor):
    """A run of the deployment by a worker of the work pool.

    Args:
        project: Where.
    """

    def __init__(self, project: Project) -> None:
        self.project, self.door = project, "flow"
        self.start([*_WORKER])
        wait_until(lambda: "started" in self.log.read_text("utf-8", "replace"), "the worker has its pool", LIMIT)
        prefect = (sys.executable, "-m", "prefect")
        project.run(*prefect, "variable", "set", "cotpd_home", str(project.root), "--overwrite")
        project.run(*prefect, "--no-prompt", "deploy", "--name", "full")
        project.run(*prefect, "deployment", "run", "cotpd/full")


def has_argument(process: psutil.Process, text: str) -> bool:
    with suppress(psutil.Error):
        return any(text in argument for argument in process.cmdline())
    return False


def list_processes(root: Path) -> list[psutil.Process]:
    """Return the processes that work in a project, but those that close the states of a flow run that has ended."""
    return [process for process in psutil.process_iter() if is_at_work(process, root)]


def is_at_work(process: psutil.Process, root: Path) -> bool:
    with suppress(psutil.Error, OSError):
        is_ended = process.status() == psutil.STATUS_ZOMBIE
        return (
            not is_ended and process.pid != os.getpid() and Path(process.cwd()) == root and not is_watcher(process)
        )
    return False


def is_watcher(process: psutil.Process) -> bool:
    """Whether a process closes the states of a flow run whose own process has ended."""
    return has_argument(process, "flows.states") or has_argument(process, "read -r finished")


def run_door(project: Project, door: Door) -> list[str]:
    """Run a door to its end, which has to be a good one, and return what it executed.

    A kill may leave a file of DVC's own half written. DVC by hand then needs the remedy of docs/three-doors.md.
    """
    run = OpenDoor(project, door)
    status = run.finish()
    if status and door == "dvc" and _HALF_WRITTEN.search(run.log.read_text("utf-8", "replace")):
        project.run(sys.executable, "-m", "steps")
        run = OpenDoor(project, door)
        status = run.finish()
    assert status == 0, f"{door} ended with {status}:\n{run.log.read_text()[-5000:]}"
    return run.list_executed()


def run_and_kill(project: Project, door: Door, victim: str, stage: int, delay: float) -> str:
    """Run a door and kill something some seconds after its n-th stage has begun; return what was going on then."""
    run = OpenDoor(project, door)
    run.wait_for_stages(stage)
    deadline = time.monotonic() + delay
    while run.program.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    moment = (run.list_executed() or ["start"])[-1]
    was_there = run.program.poll() is None and run.kill(victim)
    return f"{door}: {victim} in {moment}" if was_there else f"{door}: had ended"
