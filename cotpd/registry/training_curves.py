"""Curves of a training in MLflow, while it runs: one MLflow run for each model, found again after a kill.

Trade-off: an MLflow run is found by the training's fingerprint and not by a file of its own, so that the stage
writes nothing that DVC would have to know. Steps between the last checkpoint and a kill are logged twice, with the
same step numbers. A run that a killed training left RUNNING is closed by the next training. Whatever is wrong
with the store, the training goes on without curves, after a warning.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from cotpd.escaping import warn
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import DESCRIPTION, connect, get_or_create_experiment, resolve_uri
from cotpd.registry.unfinished_runs import (
    HEARTBEAT_SECONDS,
    LAST_SEEN,
    build_process_tags,
    choose_end_status,
    find_dead_runs,
)
from cotpd.section import Section

if TYPE_CHECKING:
    from mlflow import MlflowClient

FINGERPRINT = "cotpd.training"  # the tag that holds the training's fingerprint
TRAINING = "training."  # the tag of a version's run that names the run of a training, before the model's name
_STEPS_PER_POINT = 10  # steps between two points of a curve
_ABOUT = (
    "The training of one model. Curves: losses of every tenth step (`step/`), and of each epoch mean losses "
    "(`epoch/`) and scores on the valid split in percent, by view (`valid/`)."
)


class TrainingCurves:
    """Logs one training's losses and scores to MLflow.

    Args:
        store: MLflow's store and experiment.
        name: The name of the model: baseline, student, teachers/0.
        settings: Sections that are logged as the run's parameters, by name.
        root: The project's folder, where a SQLite store lies.
    """

    def __init__(
        self, store: RegisterParams, name: str, settings: Mapping[str, Section], root: Path = Path()
    ) -> None:
        self.store, self.name, self.settings, self.root = store, name, settings, root
        self._client: MlflowClient | None = None  # None before begin(), and after the store has failed
        self._run_id = ""
        self._last_sign = 0.0  # when the run was last marked as alive, in seconds since the epoch

    def begin(self, fingerprint: str) -> None:
        """Reopen the MLflow run of the training with this fingerprint, or create one."""
        self._warn_on_failure(lambda: self._open_run(fingerprint))

    @contextmanager
    def record(self, fingerprint: str) -> Iterator[None]:
        """Log a training inside the block; its MLflow run ends as the block does: finished, failed or killed."""
        try:
            self.begin(fingerprint)
            yield
        except BaseException as error:
            self.end(choose_end_status(error))
            raise
        self.end()

    def log_step(self, number: int, losses: Mapping[str, float]) -> None:
        """Log the losses of a step, if it is every tenth."""
        if self._client and number % _STEPS_PER_POINT == 0:
            figures = {f"step/{name}": value for name, value in losses.items()}
            self._warn_on_failure(lambda: self._log(figures, number))

    def log_epoch(self, row: Mapping[str, Any]) -> None:
        """Log an epoch's mean losses and its scores, a row of the training's history."""
        figures = {f"epoch/{name}": value for name, value in row.items() if isinstance(value, float)}
        for view, scores in row.get("valid", {}).items():
            figures |= {f"valid/{view}/{name}": value for name, value in scores.items()}
        if self._client:
            self._warn_on_failure(lambda: self._log(figures, row["epoch"]))

    def end(self, status: str = "FINISHED") -> None:
        """End the MLflow run with a status: FINISHED, FAILED or KILLED."""
        client = self._client
        if client is not None:
            self._warn_on_failure(lambda: client.set_terminated(self._run_id, status))

    def close(self, fingerprint: str) -> None:
        """End the MLflow run of a training that was killed after it had saved its model."""
        self._warn_on_failure(lambda: self._close_runs(fingerprint))

    def _close_runs(self, fingerprint: str) -> None:
        client, experiment = self._connect()
        for run_id in find_training_runs(client, experiment, fingerprint):
            if client.get_run(run_id).info.status == "RUNNING":
                client.set_terminated(run_id)

    def _connect(self) -> "tuple[MlflowClient, str]":
        """Return a client and the id of the experiment."""
        with _lock_store(resolve_uri(self.store, self.root)):
            client = connect(self.store, self.root, create=True)
            return client, get_or_create_experiment(client, self.store.experiment)

    def _open_run(self, fingerprint: str) -> None:
        client, experiment = self._connect()
        for run in find_dead_runs(client, experiment):
            if FINGERPRINT in run.data.tags:
                client.set_terminated(run.info.run_id, "KILLED")

        run_ids = find_training_runs(client, experiment, fingerprint)
        if not run_ids:
            self._create_run(client, experiment, fingerprint)
            return
        self._client, self._run_id = client, run_ids[0]
        client.update_run(self._run_id, "RUNNING")
        for key, value in build_process_tags().items():
            client.set_tag(self._run_id, key, value)

    def _create_run(self, client: "MlflowClient", experiment: str, fingerprint: str) -> None:
        tags = {FINGERPRINT: fingerprint, "mlflow.runName": self.name, DESCRIPTION: _ABOUT} | build_process_tags()
        run = client.create_run(experiment, run_name=self.name, tags=tags)
        # known at once: a training that is interrupted while its parameters are logged still ends its run
        self._client, self._run_id = client, str(run.info.run_id)
        for section, values in self.settings.items():
            for name, value in values.model_dump(mode="json").items():
                client.log_param(self._run_id, f"{section}.{name}", value)

    def _log(self, figures: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric  # noqa: PLC0415  after connect() has switched off its telemetry

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in figures.items()]
        if self._client:
            self._client.log_batch(self._run_id, metrics=metrics)
            if time.time() - self._last_sign > HEARTBEAT_SECONDS:
                self._last_sign = time.time()
                self._client.set_tag(self._run_id, LAST_SEEN, str(int(self._last_sign)))

    def _warn_on_failure(self, action: Callable[[], None]) -> None:
        """Run an action; if it fails, print a warning and log nothing more."""
        try:
            action()
        except Exception as error:  # of MLflow, its database or its server: none may end hours of training
            self._client = None
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            warn(f"warning: {self.name} goes on without curves in MLflow: {reason}")


def find_training_runs(client: "MlflowClient", experiment: str, fingerprint: str) -> list[str]:
    """Return the ids of the MLflow runs that a training was logged to, the latest first."""
    runs = client.search_runs([experiment], f"tags.`{FINGERPRINT}` = '{fingerprint}'")
    return [run.info.run_id for run in runs]


def adopt_runs(
    client: "MlflowClient", experiment: str, parent: str, trainings: Mapping[str, str]
) -> dict[str, str]:
    """Make the MLflow run of each training a child of another run.

    Args:
        client: A client of the store.
        experiment: Id of the experiment that holds all of them.
        parent: Id of the run that they become children of.
        trainings: The fingerprint of each training by its model's name; those that were not logged to this
            experiment are passed over.

    Returns:
        The children's ids as tags for the parent: ``{"training.<name>": run id}``.
    """
    tags = {}
    for name, fingerprint in trainings.items():
        for run_id in find_training_runs(client, experiment, fingerprint)[:1]:
            client.set_tag(run_id, "mlflow.parentRunId", parent)
            tags[f"{TRAINING}{name}"] = run_id
    return tags


def measure_trainings(client: "MlflowClient", tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the duration of each training that :func:`adopt_runs` has put in the tags, as lines to read."""
    durations = []
    for key, run_id in sorted(tags.items()):
        name = key.removeprefix(TRAINING)
        run = client.get_run(run_id).info if name != key else None
        if run is not None and run.end_time:
            minutes, seconds = divmod(round((run.end_time - run.start_time) / 1000), 60)
            duration = f"{minutes} min {seconds} s from begin to end, pauses included"
            durations.append((f"training of {name}", duration))
    return durations


def _lock_store(uri: str) -> FileLock:
    """Return a lock on a store: two stages that start at once would both create its tables, and one would fail.

    Each user has a file of their own: the file of another user could not be opened, and there were no curves.
    """
    name = hashlib.sha256(uri.encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"cotpd-{os.getuid()}-{name}.lock")
