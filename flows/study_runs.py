"""A study of `cotpd study` as a Prefect flow; each study that comes with CoTPD is served as cotpd-study/NAME."""

import subprocess
import sys
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from flows.full import ROOT, relay
from flows.states import close_task_runs, end_with_server, watch_flow_run
from steps.graph import RunningStep

_COMMAND = "from cotpd.cli.main import main; main()"  # the program `cotpd`, whichever way it was installed
_SHOWN = 15  # last lines of a failed study in its flow run's state


class RunningStudy(RunningStep):
    """One study that runs under a guard, which ends all its processes.

    Args:
        arguments: Of `cotpd study run`.
        root: The project's folder.
    """

    def __init__(self, arguments: list[str], root: Path) -> None:
        super().__init__("study", root)
        self.command = [sys.executable, "-c", _COMMAND, "study", "run", *arguments]


@flow(name="cotpd-study", on_cancellation=[close_task_runs], on_crashed=[close_task_runs])
def run_study(name: str = "knowledge", seeds: list[int] | None = None, jobs: int = 1) -> None:
    """Run a study; what it finds lies in studies/NAME, and `cotpd study show NAME` prints it.

    Args:
        name: A study of `cotpd study list`, or a YAML file.
        seeds: Seeds instead of the file's.
        jobs: Trainings at once.
    """
    end_with_server()
    seed_options = [f"--seed={seed}" for seed in seeds or ()]
    printed: list[str] = []
    with watch_flow_run(flow_run.id, ROOT):
        try:
            with RunningStudy([name, "--jobs", str(jobs), *seed_options], ROOT) as running:
                relay(running, name, printed)
        except subprocess.CalledProcessError:
            raise RuntimeError(f"{name} failed:\n" + "\n".join(printed[-_SHOWN:])) from None
