"""The whole pipeline as a Prefect flow: one task per stage of dvc.yaml, skipped when up to date, some at once."""

from contextlib import chdir
from functools import partial
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Failed

from flows.gpus import list_gpus
from flows.parameters import Engine, Hours, Jobs, Overrides, PresetName, StageName
from flows.project_root import ROOT
from flows.run_values import write_values
from flows.scheduling import OutOfTimeError, RunControl, Scheduler, Slots
from flows.stage_choice import choose_steps
from flows.stage_run import submit_stage
from flows.states import close_task_runs, end_with_server, watch_flow_run
from flows.workspace_lock import hold_workspace
from steps.dvc_repair import repair_dvc_files
from steps.graph import read_graph


@flow(name="cotpd", on_cancellation=[close_task_runs], on_crashed=[close_task_runs])
def full(
    stages: list[StageName] = [],  # noqa: B006  Prefect copies it; null would show no list in the form
    preset: PresetName = "",
    overrides: Overrides = {},  # noqa: B006  as above
    engine: Engine = "",
    jobs: Jobs = 4,
    trainings: Jobs = 1,
    hours: Hours | None = None,
) -> State[None] | None:
    """Caption, ask, validate, augment, train, evaluate and register: every stage that is out of date.

    Args:
        stages: The stages to bring up to date, with all stages that they need. Empty: every stage.
        preset: Values of `cotpd preset list` to write into params.yaml first, such as those of a data set.
            Empty: params.yaml stays as it is.
        overrides: Parameters to write into params.yaml first, by their dotted names, such as
            {"train.epochs": 4, "data.path": "my-posts"}. They stay there, as with `dvc exp run -S`; so
            `dvc status` agrees with this run. No secrets: they are shown here.
        engine: Where captioning and asking are computed: local is this machine, ray the machines of a Ray cluster.
            Written into params.yaml as scale.engine; no stage depends on it. Empty: params.yaml stays as it is.
        jobs: How many stages may run at once, where they do not wait for one another. Outputs do not depend on it.
        trainings: How many of them may train or run a model at once. More than 1 needs the memory for it, or
            several GPUs, over which they are spread.
        hours: End the run after so many hours; the next one goes on where it was. Empty: no limit.
    """
    end_with_server()
    logger = get_run_logger()
    control = RunControl(ROOT, hours, logger.info)
    wait = partial(control.watch_wait, "The run")
    name = flow_run.name or "by hand"
    try:
        with (
            watch_flow_run(flow_run.id, ROOT),
            chdir(ROOT),
            control.artifacts,
            hold_workspace(ROOT, name, wait),
        ):
            for repair in repair_dvc_files(ROOT):
                logger.warning(repair)
            write_values(ROOT, preset, overrides, logger.info, engine)
            steps = choose_steps(read_graph(ROOT, wait), stages)
            slots = Slots(trainings, list_gpus() if trainings > 1 else ())
            states = Scheduler(steps, control, jobs, slots, partial(submit_stage, control)).run()
    except OutOfTimeError as error:
        return Failed(name="TimedOut", message=str(error))
    raise_failure(states)
    return None


def raise_failure(states: dict[str, State[Any]]) -> None:
    """Raise the first failure among the stages' states."""
    for state in states.values():
        state.result()
