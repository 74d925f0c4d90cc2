"""What a killed registration leaves (a RUNNING run, a model without a version, temporary files), and its removal.

Trade-off: a model is removed only where its run bears the tags of a registration that did not finish and whose
process has ended. What other programs logged, or a version points to, is never touched.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import url2pathname

from cotpd.liveness import is_dead, name_process
from cotpd.registry.tracking_store import database
from cotpd.registry.unfinished_runs import LAPSE, is_run_dead, status_after, tags_of_process

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

REGISTRATION = "cotpd.registration"  # the tag of a run that is to become a version of this registered model
_TEMPORARY = "cotpd-register-"


@contextmanager
def registering(client: "MlflowClient", experiment: str, name: str) -> "Iterator[Run]":
    """Log to a run that ends as the registration does; without a version, its model is removed again."""
    import mlflow

    tags = {REGISTRATION: name} | tags_of_process()
    with _temporary_files(), mlflow.start_run(experiment_id=experiment, run_name=name, tags=tags) as run:
        try:
            yield run
        except BaseException as error:
            mlflow.end_run(status_after(error))
            with suppress(Exception):  # the store may be what has failed: the next registration tries again
                _clear(client, client.get_run(run.info.run_id))
            raise


def clear_leftovers(client: "MlflowClient", experiment: str) -> None:
    """Close the runs of registrations that were killed, and remove their models and temporary files."""
    unfinished = f"attributes.status != 'FINISHED' and tags.`{REGISTRATION}` LIKE '%'"
    for run in client.search_runs([experiment], unfinished):
        if run.info.status != "RUNNING" or is_run_dead(run):
            _clear(client, run)

    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        with suppress(ValueError, OSError):  # another program's name, or removed meanwhile
            silent = time.time() - folder.stat().st_mtime
            if is_dead(folder.name.removeprefix(_TEMPORARY).replace("+", ":"), silent, LAPSE):
                shutil.rmtree(folder, ignore_errors=True)


def _clear(client: "MlflowClient", run: "Run") -> None:
    """Remove a run's models unless one became a version; the tag goes last, so that a kill here does no harm."""
    number = run.info.run_id
    has_version = bool(client.search_model_versions(f"run_id = '{number}'"))
    if not has_version:
        for model in client.search_logged_models([run.info.experiment_id], f"source_run_id = '{number}'"):
            _remove_files(client, model.artifact_location)
            client.delete_logged_model(model.model_id)
    if run.info.status == "RUNNING":
        client.set_terminated(number, "FINISHED" if has_version else "KILLED")
    client.delete_tag(number, REGISTRATION)


def _remove_files(client: "MlflowClient", location: str) -> None:
    """Remove a model's files; of a folder on this machine only below its own store, which may have been copied."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    address, store = urlparse(location), database(client.tracking_uri)
    if address.scheme not in ("file", ""):
        with suppress(NotImplementedError):  # a kind of storage that cannot remove
            get_artifact_repository(location, tracking_uri=client.tracking_uri).delete_artifacts()
        return
    folder = Path(url2pathname(address.path)).resolve()
    if store is not None and folder.is_relative_to(store.parent.resolve()):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _temporary_files() -> Iterator[None]:
    """Let MLflow's temporary files, a copy of the weights too, lie where a later registration finds them."""
    before = tempfile.tempdir
    folder = Path(tempfile.gettempdir()) / f"{_TEMPORARY}{name_process().replace(':', '+')}"
    folder.mkdir()
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
