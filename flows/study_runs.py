"""A study of `cotpd study` as a Prefect flow; each study that comes with CoTPD is served as cotpd-study/NAME."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from flows.parameters import Hours, Jobs
from flows.project_root import ROOT
from flows.scheduling import OutOfTimeError, end_after
from flows.stage_run import describe_failure, relay
from flows.states import close_task_runs, end_with_server, watch_flow_run
from steps.graph import RunningStep

_COMMAND = "from cotpd.cli.main import main; main()"  # the program `cotpd`, whichever way it was installed

Seeds = list[Annotated[int, Field(ge=0)]]


class RunningStudy(RunningStep):
    """One study that runs under a guard, which ends all its processes.

    Args:
        arguments: The arguments of `cotpd study run`.
        root: The project's folder.
    """

    def __init__(self, arguments: list[str], root: Path) -> None:
        super().__init__("study", root)
        self.command = [sys.executable, "-c", _COMMAND, "study", "run", *arguments]


@flow(name="cotpd-study", on_cancellation=[close_task_runs], on_crashed=[close_task_runs])
def run_study(
    name: str = "knowledge",
    seeds: Seeds = [],  # noqa: B006  Prefect copies it; null would show no list in the form
    cells: list[str] = [],  # noqa: B006  as above
    split: Literal["", "valid", "test"] = "",
    quick: bool = False,
    jobs: Jobs = 1,
    hours: Hours | None = None,
) -> State[None]:
    """Run a study; what it finds lies in studies/NAME, and `cotpd study show NAME` prints it.

    Args:
        name: A study of `cotpd study list`, or a YAML file.
        seeds: Seeds instead of the file's. Empty: as the file says.
        cells: Some of its cells, by name. Empty: all.
        split: The split to score instead of the file's. Empty: as the file says.
        quick: One seed, fewer layers and epochs: shows that everything runs.
        jobs: Trainings at once.
        hours: End the run after so many hours; the next one goes on where it was. Empty: no limit.
    """
    end_with_server()
    options = [f"--seed={seed}" for seed in seeds] + [f"--cell={cell}" for cell in cells]
    options += [f"--split={split}"] * bool(split) + ["--quick"] * quick
    printed: list[str] = []
    with watch_flow_run(flow_run.id, ROOT):
        try:
            with (
                RunningStudy([f"--jobs={jobs}", *options, "--", name], ROOT) as running,
                end_after(running, hours),
            ):
                relay(running, name, printed)
        except OutOfTimeError as error:
            return Failed(name="TimedOut", message=str(error))
        except subprocess.CalledProcessError:
            raise describe_failure(name, printed) from None
    return Completed(message=_find_answer(printed))


def _find_answer(lines: list[str]) -> str:
    """Return the study's answer, the line before the two that say where its page and its picture are."""
    pages = [number for number, line in enumerate(lines) if line.startswith("page      ")]
    return lines[pages[-1] - 1] if pages and pages[-1] else ""
