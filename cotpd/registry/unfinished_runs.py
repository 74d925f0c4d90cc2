"""MLflow runs whose process is gone: a killed program leaves them RUNNING, and the next one closes them.

Trade-off: only runs that bear the name of their process are touched. Should one be closed while its process is
merely cut off from the store, that process goes on logging to it and sets FINISHED in the end.
"""

import time
from typing import TYPE_CHECKING

from cotpd.liveness import is_dead, name_process

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PROCESS = "cotpd.process"  # the tag that names the process of a run
LAST_SEEN = "cotpd.seen"  # the tag that holds the process's last sign of life, in seconds since 1970
HEARTBEAT_SECONDS = 60.0  # between two signs of life of a process
LAPSE = 3600.0  # seconds of silence after which a process on another machine counts as dead
_MOST_RUNS = 1000  # that MLflow returns at once


def build_process_tags() -> dict[str, str]:
    """Return the tags by which another process can tell whether this one still works at a run."""
    return {PROCESS: name_process(), LAST_SEEN: str(int(time.time()))}


def find_dead_runs(client: "MlflowClient", experiment: str) -> "list[Run]":
    """Return the runs of an experiment that are called RUNNING, though the process that made them has ended."""
    running = client.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=_MOST_RUNS)
    return [run for run in running if is_run_dead(run)]


def choose_end_status(error: BaseException) -> str:
    """Return MLflow's status of a run that an error ended: FAILED, or KILLED after Ctrl-C, SIGTERM or an exit."""
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def is_run_dead(run: "Run") -> bool:
    """Whether the process of a run has ended; False where the run does not name it."""
    if PROCESS not in run.data.tags:
        return False
    silence = time.time() - float(run.data.tags.get(LAST_SEEN, 0))
    return is_dead(run.data.tags[PROCESS], silence, LAPSE)
