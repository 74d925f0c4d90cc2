"""Batch scoring as a Prefect flow: `cotpd predict --input FILE --output FILE`, scheduled and observed."""

import time
from typing import Literal

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from cotpd.config import load_params
from cotpd.engine.ordered_map import open_engine
from cotpd.scoring.batch_job import BatchJob
from cotpd.scoring.columns import ColumnNames
from cotpd.scoring.row_predictions import BatchOptions
from cotpd.scoring.scoring_model import load_scoring_model
from flows.project_root import ROOT
from flows.states import end_with_server, watch_flow_run

_EVERY = 30.0  # seconds between two lines of the log


@flow(name="cotpd-score")
def score(
    input: str,  # noqa: A002  the parameter is called as the command's option
    output: str,
    model: str | None = None,
    columns: ColumnNames = ColumnNames(),  # noqa: B008  frozen
    batch_size: int = 32,
    backend: str = "auto",
    device: str = "auto",
    strict: bool = False,
    overwrite: bool = False,
    restart: bool = False,
    engine: Literal["local", "ray"] | None = None,
) -> State[None]:
    """Score a file; a run that was stopped goes on where it was.

    Args:
        input, output: Files, from the folder that the flow runs in.
        model: As for `cotpd predict`; None takes the champion of params.yaml.
        columns: Which are read and kept: text, head, tail, keep, prefix.
        batch_size: Rows that the model reads at a time.
        backend, device: What runs the model, and where.
        strict: Fail at the first row that cannot be read.
        overwrite: Replace the output if it exists.
        restart: Discard what was scored before the input or the model changed.
        engine: Where rows are scored; None takes scale.engine of params.yaml.
    """
    end_with_server()
    with watch_flow_run(flow_run.id, ROOT):
        job = BatchJob(input, output, BatchOptions(columns, batch_size, strict, overwrite, restart))
        scale = load_params().scale
        scale = scale if engine is None else scale.model_copy(update={"engine": engine})
        loaded = load_scoring_model(model or f"models:/{load_params().registered_name}@champion", backend, device)
        with open_engine(scale) as machines:
            result = job.run(loaded, show=False, watch=LoggedProgress().log, engine=machines)
    return Completed(message=result.describe(input))


class LoggedProgress:
    """Logs how many rows are scored, now and then."""

    def __init__(self) -> None:
        self._logger, self._last = get_run_logger(), time.monotonic()

    def log(self, count: int, total: int) -> None:
        """Log a count, unless the last one is fresh."""
        if time.monotonic() - self._last >= _EVERY or count == total:
            self._last = time.monotonic()
            self._logger.info(f"{count:,} of {total:,} rows are scored")
