"""The whole pipeline as a Prefect flow: one task per stage of dvc.yaml, in its order, skipped when up to date."""

import subprocess
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.states import Completed, State
from prefect.task_runners import ThreadPoolTaskRunner

from steps.graph import Step, is_up_to_date, read_graph, run_step

ROOT = Path(__file__).resolve().parent.parent


@task(task_run_name="{step.name}")
def run(step: Step) -> State:
    """Bring one stage up to date; the state is named Cached where there was nothing to do."""
    logger = get_run_logger()
    if is_up_to_date(step.name, ROOT):
        return Completed(name="Cached", message=f"{step.name}: nothing has changed since dvc.lock was written")
    said: list[str] = []
    try:
        for line in run_step(step.name, ROOT):
            said.append(line)
            logger.info(line)
    except subprocess.CalledProcessError:
        raise RuntimeError(f"{step.name} failed:\n" + "\n".join(said[-15:])) from None
    return Completed(message=step.description)


@flow(name="cotpd", task_runner=ThreadPoolTaskRunner(max_workers=1))
def full() -> None:
    """Caption, ask, validate, augment, train, evaluate and register; parameters are those of params.yaml."""
    running = {}
    for step in read_graph(ROOT):
        running[step.name] = run.with_options(name=step.name).submit(
            step, wait_for=[running[name] for name in step.after]
        )
    for future in running.values():
        future.result()
