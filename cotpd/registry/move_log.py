"""The record of a model's moves in MLflow: one run per model, whose numbered parameters are the entries.

MLflow stores a run's parameter once and refuses to change it, in every store and over HTTP. So the entry with the
next number can be written by one process alone, and the numbers are the order of all moves.

Trade-off: MLflow's models and aliases have nothing that is written only once, so the record lies in an experiment
of its own, ``moves of NAME``.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.errors import ModelError
from cotpd.liveness import is_dead, name_process
from cotpd.registry.moves import Move
from cotpd.registry.relocation import find_artifacts
from cotpd.registry.tracking_store import choose_artifact_location, explain_errors, find_database
from cotpd.registry.unfinished_runs import LAPSE

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

_RUN = "cotpd.moves"  # the experiment's tag that names the run of the record
_DRAFT = "moves begun by "  # and the name of the process: an experiment that is not complete yet
_ENTRY = "move."  # and the number: the parameter that holds an entry
_OUTCOME = "outcome."  # and the number: the parameter that holds how the writing of its aliases ended
_LONGEST = 5500  # characters of an entry; MLflow cuts a parameter at 6000
_LONGEST_REASON = 300  # characters, each of which may take up to twelve as JSON


@dataclass(frozen=True)
class MoveLog:
    """The record of one registered model's moves."""

    client: "MlflowClient"
    name: str
    run_id: str

    @classmethod
    def find(cls, client: "MlflowClient", name: str) -> "MoveLog | None":
        """Return the record of a model; None if it has none yet.

        Raises:
            ModelError: The record was deleted, or its experiment is another program's.
        """
        title = f"moves of {name}"
        experiment = client.get_experiment_by_name(title)
        if experiment is None:
            return None
        if experiment.lifecycle_stage != "active":
            problem = f"the record of the moves of {name} was deleted in MLflow (experiment {title!r})"
            raise ModelError(problem, f"Bring it back: mlflow experiments restore -x {experiment.experiment_id}")
        if _RUN not in experiment.tags:
            problem = f"MLflow's experiment {title!r} is not the record of the moves of {name}"
            raise ModelError(problem, "Rename that experiment in MLflow, and try again.")
        return cls(client, name, experiment.tags[_RUN])

    @classmethod
    def open(cls, client: "MlflowClient", name: str) -> "MoveLog":
        """Return the record of a model, created if there is none. Of several processes one creates it.

        Raises:
            ModelError: As for :meth:`find`.
        """
        if (log := cls.find(client, name)) is None:
            _remove_dead_drafts(client)
            _create_record(client, name)
            log = cls.find(client, name)
        if log is None:
            raise ModelError(f"MLflow keeps no experiment for the moves of {name}", "See its server's log.")
        return log

    def read(self) -> list[Move]:
        """Return the entries, the oldest first.

        Raises:
            ModelError: An entry was changed in the database, or the run was deleted.
        """
        run = self.client.get_run(self.run_id)
        if run.info.lifecycle_stage != "active":
            problem = f"the run that records the moves of {self.name} was deleted in MLflow"
            raise ModelError(problem, f"Bring it back: mlflow runs restore --run-id {self.run_id}")
        params = run.data.params
        numbers = [int(key.removeprefix(_ENTRY)) for key in params if key.startswith(_ENTRY)]
        return [self._parse(params, number) for number in sorted(numbers)]

    def append(self, move: Move) -> bool:
        """Write an entry by itself; return False if another process has written an entry of that number."""
        from mlflow.exceptions import MlflowException  # noqa: PLC0415  after connect() has switched off its telemetry

        key, text = format_entry(move)
        try:
            self.client.log_param(self.run_id, key, text)
        except MlflowException:
            moves = self.read()
            if len(moves) < move.number:
                raise  # no race: the store has failed
            return moves[move.number - 1].token == move.token
        return True

    def sign(self, move: Move, outcome: str) -> None:
        """Write, once, how the writing of a move's aliases ended."""
        self.client.log_param(self.run_id, f"{_OUTCOME}{move.number:06}", outcome)

    def write_artifact(self, path: str, text: str) -> None:
        """Keep a text beside the entries, at a path below the run."""
        self.client.log_text(self.run_id, text, path)

    def remove_artifact(self, path: str) -> None:
        """Remove the artifact of an entry that was not written, where the storage can."""
        from mlflow.store.artifact import artifact_repository_registry as repositories  # noqa: PLC0415  see append

        with suppress(Exception):  # storage that cannot delete keeps one file too many, which nothing reads
            location = self._locate_artifacts()
            repository = repositories.get_artifact_repository(location, tracking_uri=self.client.tracking_uri)
            repository.delete_artifacts(path)

    def read_artifact(self, move: Move) -> dict[str, Any]:
        """Return the whole decision behind an entry.

        Raises:
            ModelError: The file is out of reach, or is not the one that was recorded.
        """
        import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

        subject = f"figures of move {move.number} of {self.name}"
        remedy = "Its files are gone, or lie on another machine; the record itself is complete without them."
        address = f"{self._locate_artifacts()}/{move.artifact}"
        uri = self.client.tracking_uri
        with (
            explain_errors(subject, remedy),
            _explain_missing_file(subject, remedy),
            tempfile.TemporaryDirectory() as scratch,
        ):
            path = Path(mlflow.artifacts.download_artifacts(address, dst_path=scratch, tracking_uri=uri))
            text = path.read_bytes()
            if hashlib.sha256(text).hexdigest() != move.artifact_sha256:
                raise ModelError(f"{subject}: {address} was changed since", "Restore it from a backup.")
            decision: dict[str, Any] = json.loads(text)
        return decision

    def _locate_artifacts(self) -> str:
        location = self.client.get_run(self.run_id).info.artifact_uri
        return find_artifacts(location, find_database(self.client.tracking_uri))

    def _parse(self, params: Mapping[str, str], number: int) -> Move:
        try:
            values = json.loads(params[f"{_ENTRY}{number:06}"])
            return Move.from_dict(values, params.get(f"{_OUTCOME}{number:06}", ""))
        except (KeyError, TypeError, ValueError, AttributeError):
            problem = f"entry {number} of the moves of {self.name} was changed in MLflow's database"
            raise ModelError(problem, "Restore the database from a backup.") from None


def format_entry(move: Move) -> tuple[str, str]:
    """Return the parameter, name and value, that holds an entry; its artifact keeps what does not fit."""
    values = {name: value for name, value in move.as_dict().items() if name != "outcome"}
    values["reason"] = shorten(move.reason, _LONGEST_REASON)
    text = json.dumps(values)
    if len(text) > _LONGEST:
        text = json.dumps({**values, "facts": {}})
    return f"{_ENTRY}{move.number:06}", text


def shorten(text: str, limit: int) -> str:
    """Return a text of at most so many characters, with an ellipsis where it was cut."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _create_record(client: "MlflowClient", name: str) -> None:
    """Make the experiment and its run under a name of this process, then rename it: MLflow keeps names unique."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  after connect() has switched off its telemetry

    experiment = client.create_experiment(
        f"{_DRAFT}{name_process()}", artifact_location=choose_artifact_location(client)
    )
    run = client.create_run(experiment, run_name=f"moves of {name}")
    client.set_terminated(run.info.run_id)
    client.set_experiment_tag(experiment, _RUN, run.info.run_id)
    try:
        client.rename_experiment(experiment, f"moves of {name}")
    except MlflowException:
        client.delete_experiment(experiment)
        if client.get_experiment_by_name(f"moves of {name}") is None:
            raise  # no race: the store has failed


def _remove_dead_drafts(client: "MlflowClient") -> None:
    """Delete the experiments of processes that were killed before they renamed them."""
    for experiment in client.search_experiments(filter_string=f"name LIKE '{_DRAFT}%'"):
        if _is_dead_draft(experiment):
            client.delete_experiment(experiment.experiment_id)


def _is_dead_draft(experiment: "Experiment") -> bool:
    silence = time.time() - (experiment.creation_time or 0) / 1000
    with suppress(ValueError):  # a person may have named an experiment like a draft
        return is_dead(experiment.name.removeprefix(_DRAFT), silence, LAPSE)
    return False


@contextmanager
def _explain_missing_file(subject: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise ModelError(f"{subject}: {error}", remedy) from None
