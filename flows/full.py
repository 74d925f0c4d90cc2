"""The whole pipeline as a Prefect flow: one task per stage of dvc.yaml, in its order, skipped when up to date."""

import subprocess
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.project_root import ROOT
from flows.states import close_task_runs, end_with_server, watch_flow_run
from steps.dvc_repair import repair_dvc_files
from steps.graph import RunningStep, Step, is_busy, is_up_to_date, read_graph
from steps.guard import GRACE

_SHOWN = 15  # last lines of a failed step in its task's state


# DVC alone says what is up to date: a result that Prefect has kept knows of no edit since, and of no lost output.
@task(task_run_name="{step.name}", cache_policy=NO_CACHE, persist_result=False)
def run(step: Step) -> State[None]:
    """Bring one stage up to date; the state is named Cached if it was."""
    while not is_up_to_date(step.name, ROOT, get_run_logger().warning):
        printed: list[str] = []
        try:
            with RunningStep(step.name, ROOT) as running:
                relay(running, step.name, printed)
        except subprocess.CalledProcessError:
            if is_busy(printed):  # a `dvc repro` began to write the same files after the look
                continue
            raise RuntimeError(f"{step.name} failed:\n" + "\n".join(printed[-_SHOWN:])) from None
        return Completed(message=step.description)
    return Completed(name="Cached", message=f"{step.name}: nothing has changed since dvc.lock was written")


def relay(running: RunningStep, name: str, printed: list[str]) -> None:
    """Log the lines that a step prints and add them to ``printed``, until the step ends.

    If the flow is interrupted (SIGTERM, Ctrl-C), end the step, log its last lines and raise the interruption.
    """
    logger = get_run_logger()
    try:
        for line in running:
            printed.append(line)
            logger.info(line)
    except BaseException:
        logger.warning(f"{name}: stopping; it has {GRACE:.0f} seconds to write what it has, then it is killed")
        running.end()
        for line in running:
            logger.info(line)
        raise


@flow(name="cotpd", on_cancellation=[close_task_runs], on_crashed=[close_task_runs])
def full() -> None:
    """Caption, ask, validate, augment, train, evaluate and register; parameters are those of params.yaml.

    Steps run one after another in the main thread, the only one that a signal reaches.
    """
    end_with_server()
    states: dict[str, State[Any]] = {}
    with watch_flow_run(flow_run.id, ROOT):
        for repair in repair_dvc_files(ROOT):
            get_run_logger().warning(repair)
        for step in read_graph(ROOT):
            upstream = [states[name] for name in step.after]
            states[step.name] = run.with_options(name=step.name)(step, wait_for=upstream, return_state=True)
    for state in states.values():
        state.result()
