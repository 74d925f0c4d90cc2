"""Curves of a training in MLflow, while it goes on: one run for each model, found again after a kill.

Trade-off: a run is known by the training's fingerprint and not by a file of its own, so that the stage writes
nothing that DVC would have to know. Steps between the last checkpoint and a kill are drawn twice, at the same
places. A run that a killed training has left RUNNING is closed by the next one. Whatever is wrong with the store,
the training goes on without curves, after a warning.
"""

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from cotpd.config import RegisterParams, Section
from cotpd.escaping import warn
from cotpd.models.relocation import repair_paths
from cotpd.models.store import connect, database, tracking_uri
from cotpd.models.unfinished import SEEN, SIGN_OF_LIFE, find_dead_runs, status_after, tags_of_process
from cotpd.student.checkpoint import RUN

if TYPE_CHECKING:
    from mlflow import MlflowClient

FINGERPRINT = "cotpd.training"  # the tag that a run is found by
_EVERY = 10  # steps between two points


class Curves:
    """Where one training is drawn.

    Args:
        store: MLflow's store and experiment.
        name: Of the model: baseline, student, teachers/0.
        settings: Sections that are logged as the run's parameters, by name.
        root: The project's folder, where a SQLite store lies.
    """

    def __init__(
        self, store: RegisterParams, name: str, settings: Mapping[str, Section], root: Path = Path()
    ) -> None:
        self.store, self.name, self.settings, self.root = store, name, settings, root
        self._client: MlflowClient | None = None
        self._run, self._seen = "", 0.0

    def begin(self, fingerprint: str) -> None:
        """Go on with the run of that training, or make one."""
        self._safely(lambda: self._begin(fingerprint))

    def step(self, number: int, losses: Mapping[str, float]) -> None:
        """Draw the losses of every tenth step."""
        if self._client and number % _EVERY == 0:
            self._safely(lambda: self._log({f"step/{name}": value for name, value in losses.items()}, number))

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Draw an epoch's mean losses and its scores."""
        figures = {f"epoch/{name}": value for name, value in row.items() if isinstance(value, float)}
        for view, found in row.get("valid", {}).items():
            figures |= {f"valid/{view}/{name}": value for name, value in found.items()}
        if self._client:
            self._safely(lambda: self._log(figures, row["epoch"]))

    def end(self, status: str = "FINISHED") -> None:
        """Say in MLflow that the training is over."""
        if client := self._client:
            self._safely(lambda: client.set_terminated(self._run, status))

    def close(self, fingerprint: str) -> None:
        """End the run of a training that was killed after its model had been saved."""
        self._safely(lambda: self._close(fingerprint))

    def _close(self, fingerprint: str) -> None:
        client, experiment = self._connect()
        for run in trainings(client, experiment, fingerprint):
            if client.get_run(run).info.status == "RUNNING":
                client.set_terminated(run)

    def _connect(self) -> "tuple[MlflowClient, str]":
        with _alone(tracking_uri(self.store, self.root)):
            client = connect(self.store, self.root, create=True)
            return client, experiment_id(client, self.store.experiment)

    def _begin(self, fingerprint: str) -> None:
        client, experiment = self._connect()
        for run in find_dead_runs(client, experiment):
            if FINGERPRINT in run.data.tags:
                client.set_terminated(run.info.run_id, "KILLED")
        earlier = trainings(client, experiment, fingerprint)
        if earlier:
            self._client, self._run = client, earlier[0]
            client.update_run(self._run, "RUNNING")
            for key, value in tags_of_process().items():
                client.set_tag(self._run, key, value)
        else:
            self._create(client, experiment, fingerprint)

    def _create(self, client: "MlflowClient", experiment: str, fingerprint: str) -> None:
        tags = {FINGERPRINT: fingerprint, "mlflow.runName": self.name} | tags_of_process()
        run = client.create_run(experiment, run_name=self.name, tags=tags)
        self._client, self._run = client, run.info.run_id  # at once: an interrupted training ends its run
        for section, values in self.settings.items():
            for name, value in values.model_dump(mode="json").items():
                client.log_param(self._run, f"{section}.{name}", value)

    def _log(self, figures: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in figures.items()]
        if self._client:
            self._client.log_batch(self._run, metrics=metrics)
            if time.time() - self._seen > SIGN_OF_LIFE:
                self._seen = time.time()
                self._client.set_tag(self._run, SEEN, str(int(self._seen)))

    def _safely(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # of MLflow, its database or its server: none is worth a training
            self._client = None
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            warn(f"warning: {self.name} goes on without curves in MLflow: {reason}")


@contextmanager
def drawn(curves: Curves | None, fingerprint: str) -> Iterator[None]:
    """Draw a training while it goes on; its run ends as the training does."""
    if curves is None:
        yield
        return
    try:
        curves.begin(fingerprint)
        yield
    except BaseException as error:
        curves.end(status_after(error))
        raise
    curves.end()


def trainings(client: "MlflowClient", experiment: str, fingerprint: str) -> list[str]:
    """Ids of the runs that a training was drawn in, the latest first."""
    found = client.search_runs([experiment], f"tags.`{FINGERPRINT}` = '{fingerprint}'")
    return [run.info.run_id for run in found]


def adopt_runs(client: "MlflowClient", experiment: str, parent: str, folders: Iterable[Path]) -> dict[str, str]:
    """Put the runs that some models were trained in below another run; returns their ids as tags for that one."""
    tags = {}
    for folder in folders:
        if (folder / RUN).is_file():
            for run in trainings(client, experiment, (folder / RUN).read_text("utf-8").strip())[:1]:
                client.set_tag(run, "mlflow.parentRunId", parent)
                tags[f"training.{folder.name}"] = run
    return tags


def experiment_id(client: "MlflowClient", name: str) -> str:
    """The experiment's id, made if it is new.

    MLflow would put artifacts into the current folder; they belong beside the database.
    """
    path = database(client.tracking_uri)
    repair_paths(path)
    if found := client.get_experiment_by_name(name):
        return found.experiment_id
    place = None if path is None else (path.parent / "mlruns").as_uri()
    return client.create_experiment(name, artifact_location=place)


def _alone(uri: str) -> FileLock:
    """Two stages that train at once must not both make the database."""
    name = hashlib.sha256(uri.encode()).hexdigest()[:16]
    return FileLock(Path(tempfile.gettempdir()) / f"cotpd-{name}.lock")
