"""One stage of dvc.yaml as a Prefect task: it is skipped when DVC says so, and its lines become the task's log."""

import subprocess
from collections.abc import Callable
from functools import partial
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.runtime import task_run
from prefect.states import Completed

from cotpd.passwords import hide_passwords
from cotpd.storage import explain_full_disk
from flows.artifacts import StageArtifacts
from flows.failures import StageFailedError
from flows.scheduling import RunControl
from steps.dvc_repair import repair_dvc_files
from steps.graph import RunningStep, Step, is_busy, is_up_to_date
from steps.guard import GRACE
from steps.late_edits import drop_input_record, refuse_late_edit

_SHOWN = 15  # last lines of a failed step in its task's state
_RETRY_DELAY = 30.0  # seconds before a stage that may be retried is


def submit_stage(
    control: RunControl, step: Step, environment: dict[str, str], upstream: list[PrefectFuture[Any]]
) -> PrefectFuture[Any]:
    """Start a stage's task in a thread of the flow's task runner, when the tasks before it have ended."""
    stage_task = run.with_options(name=step.name, retries=step.retries, retry_delay_seconds=_RETRY_DELAY)
    return stage_task.submit(step, control, environment, wait_for=upstream, return_state=False)


# DVC alone says what is up to date: a result that Prefect has kept knows of no edit since, and of no lost output.
@task(task_run_name="{step.name}", cache_policy=NO_CACHE, persist_result=False)
def run(step: Step, control: RunControl, environment: dict[str, str]) -> State[None]:
    """Bring one stage up to date; the state is named Cached if it was."""
    control.refuse_if_stopping()
    if task_run.run_count > 1:  # a first try that was killed, or met a full disk, may have left them half written
        for repair in repair_dvc_files(control.root):
            control.log(repair)
    wait = partial(control.watch_wait, step.name)
    while not step.is_untouched(control.root) and not is_up_to_date(step.name, control.root, wait):
        drop_input_record(step.name, control.root)
        if execute(step, control, environment):
            refuse_late_edit(step.name, control.root, wait)
            return Completed(message=step.description)
    return Completed(name="Cached", message=f"{step.name}: nothing has changed since dvc.lock was written")


def execute(step: Step, control: RunControl, environment: dict[str, str]) -> bool:
    """Run a step and log its lines; return False if another DVC process is at work on the same paths.

    Raises:
        StageFailedError: The step failed; the message has its last lines.
        TerminationSignal: The run is being stopped.
    """
    printed: list[str] = []
    artifacts = StageArtifacts(step.name, control.root, control.artifacts)
    try:
        with control.start_step(step.name, environment) as running:
            relay(running, step.name, printed, artifacts.watch)
            control.refuse_if_stopping()
    except subprocess.CalledProcessError:
        control.refuse_if_stopping()
        if is_busy(printed):  # a `dvc repro` began to write the same files after the look
            return False
        raise describe_failure(step.name, printed) from None
    artifacts.complete()
    return True


def describe_failure(name: str, printed: list[str]) -> StageFailedError:
    """Return the error of a step by its last lines; DVC names no remedy for a full disk."""
    shown = "\n".join(printed[-_SHOWN:])
    full_disk = explain_full_disk(OSError(shown))
    remedy = full_disk.remedy if full_disk is not None and full_disk.remedy not in shown else ""
    return StageFailedError(f"{name} failed:\n{shown}", remedy)


def relay(
    running: RunningStep, name: str, printed: list[str], watch: Callable[[str], None] = lambda _: None
) -> None:
    """Log the lines that a step prints and add them to ``printed``, until the step ends.

    If the flow is interrupted (SIGTERM, Ctrl-C), end the step, log its last lines and raise the interruption.

    Args:
        running: The step.
        name: Its name, for the log.
        printed: Gets the lines.
        watch: Is called with each line, too.
    """
    logger = get_run_logger()
    try:
        for line in map(hide_passwords, running):  # a package's own message may repeat an address
            printed.append(line)
            if line.strip():  # DVC sets its hints apart with empty lines
                logger.info(line)
            watch(line)
    except BaseException:
        running.end()
        logger.warning(f"{name}: stopping; it has {GRACE:.0f} seconds to write what it has, then it is killed")
        for line in map(hide_passwords, running):
            logger.info(line)
        raise
