"""Batch scoring as a Prefect flow: `cotpd predict --input FILE --output FILE`, scheduled and observed."""

import time
from typing import Annotated

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from cotpd.config import load_params
from cotpd.counts import format_count
from cotpd.engine.ordered_map import open_engine
from cotpd.inference.loading import BACKENDS
from cotpd.scoring.batch_job import BatchJob
from cotpd.scoring.columns import ColumnNames
from cotpd.scoring.row_predictions import BatchOptions
from cotpd.scoring.scoring_model import load_scoring_model
from flows.parameters import Engine, Hours, offer
from flows.project_root import ROOT
from flows.scheduling import OutOfTimeError, RunControl
from flows.states import end_with_server, watch_flow_run

_EVERY = 30.0  # seconds between two lines of the log


@flow(name="cotpd-score")
def score(
    input: str,  # noqa: A002  the parameter is called as the command's option
    output: str,
    model: str = "",
    columns: ColumnNames = ColumnNames(),  # noqa: B008  frozen
    batch_size: Annotated[int, Field(ge=1)] = 32,
    backend: Annotated[str, Field(json_schema_extra=offer([*BACKENDS]))] = "auto",
    device: str = "auto",
    strict: bool = False,
    overwrite: bool = False,
    restart: bool = False,
    engine: Engine = "",
    hours: Hours | None = None,
) -> State[None]:
    """Score a file; a run that was stopped goes on where it was.

    Args:
        input: The file of posts, from the folder that the flow runs in: JSON Lines, CSV, Parquet.
        output: The file to write, with the same rows and their predictions.
        model: A folder, or models:/NAME@ALIAS, as for `cotpd predict`. Empty: the champion of params.yaml.
        columns: Names of the file's columns. Text: the posts. Head and tail: the pair, for relations. Keep: those
            that come out again (None: all). Prefix: put before the names of the predicted ones.
        batch_size: Rows that the model reads at a time.
        backend: What runs the model: auto, torch, onnx or onnx-int8.
        device: Where it runs: auto, cpu, cuda, cuda:1.
        strict: Fail at the first row that cannot be read.
        overwrite: Replace the output if it exists.
        restart: Discard what was scored before the input or the model changed.
        engine: Where rows are scored: local is this machine, ray the machines of a Ray cluster. Empty: as
            scale.engine of params.yaml says.
        hours: End the run after so many hours; the next one goes on where it was. Empty: no limit.
    """
    end_with_server()
    with watch_flow_run(flow_run.id, ROOT):
        job = BatchJob(input, output, BatchOptions(columns, batch_size, strict, overwrite, restart))
        scale = load_params().scale
        scale = scale.model_copy(update={"engine": engine}) if engine else scale
        loaded = load_scoring_model(model or f"models:/{load_params().registered_name}@champion", backend, device)
        control = RunControl(ROOT, hours)
        try:
            with open_engine(scale) as machines:
                result = job.run(loaded, show=False, watch=LoggedProgress(control).log, engine=machines)
        except OutOfTimeError as error:
            return Failed(name="TimedOut", message=str(error))
    return Completed(message=result.describe(input))


class LoggedProgress:
    """Logs how many rows are scored, now and then, and ends the run when its hours are over.

    Args:
        control: The run's.
    """

    def __init__(self, control: RunControl) -> None:
        self._logger, self._last, self._control = get_run_logger(), time.monotonic(), control

    def log(self, count: int, total: int) -> None:
        """Log a count, unless the last one is fresh.

        Raises:
            OutOfTimeError: The run's hours are over.
        """
        self._control.check_time()
        if time.monotonic() - self._last >= _EVERY or count == total:
            self._last = time.monotonic()
            self._logger.info(f"{count:,} of {format_count(total, 'row')} scored")
