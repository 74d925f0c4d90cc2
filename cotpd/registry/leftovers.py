"""Removing the leftovers of a killed registration: a RUNNING run, a model without a version, temporary files.

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
from cotpd.registry.tracking_store import find_database
from cotpd.registry.unfinished_runs import LAPSE, build_process_tags, choose_end_status, is_run_dead

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

REGISTRATION = "cotpd.registration"  # the tag of a run that is to become a version of this registered model
_TEMPORARY = "cotpd-register-"


@contextmanager
def open_registration_run(client: "MlflowClient", experiment: str, name: str) -> "Iterator[Run]":
    """Start the run that is to become a version of a registered model; it ends as the block does.

    If the block fails before there is a version, the model that it logged is removed again.
    """
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

    tags = {REGISTRATION: name} | build_process_tags()
    with _redirect_temporary_files(), mlflow.start_run(experiment_id=experiment, run_name=name, tags=tags) as run:
        try:
            yield run
        except BaseException as error:
            mlflow.end_run(choose_end_status(error))
            with suppress(Exception):  # the store may be what has failed: the next registration tries again
                _clear_run(client, client.get_run(run.info.run_id))
            raise


def clear_leftovers(client: "MlflowClient", experiment: str) -> None:
    """Close the runs of registrations that were killed, and remove their models and temporary files."""
    unfinished = f"attributes.status != 'FINISHED' and tags.`{REGISTRATION}` LIKE '%'"
    for run in client.search_runs([experiment], unfinished):
        if run.info.status != "RUNNING" or is_run_dead(run):
            _clear_run(client, run)

    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY}*"):
        with suppress(ValueError, OSError):  # the name of another program's folder, or it was removed meanwhile
            silence = time.time() - folder.stat().st_mtime
            if is_dead(folder.name.removeprefix(_TEMPORARY).replace("+", ":"), silence, LAPSE):
                shutil.rmtree(folder, ignore_errors=True)


def _clear_run(client: "MlflowClient", run: "Run") -> None:
    """Close a registration's run, and remove its models unless one of them became a version.

    Its tag goes last: if this process is killed in between, the next registration still finds the run.
    """
    run_id = run.info.run_id
    has_version = bool(client.search_model_versions(f"run_id = '{run_id}'"))
    if not has_version:
        for model in client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run_id}'"):
            _remove_files(client, model.artifact_location)
            client.delete_logged_model(model.model_id)

    if run.info.status == "RUNNING":
        client.set_terminated(run_id, "FINISHED" if has_version else "KILLED")
    client.delete_tag(run_id, REGISTRATION)


def _remove_files(client: "MlflowClient", location: str) -> None:
    """Remove a model's files; on this machine only those below the store's own folder.

    A copied store still names the files of the store that it was copied from, which must stay.
    """
    # Later than the module's own imports, for connect() has to switch off MLflow's telemetry before.
    from mlflow.store.artifact import artifact_repository_registry as repositories  # noqa: PLC0415  see above

    address, database = urlparse(location), find_database(client.tracking_uri)
    if address.scheme not in ("file", ""):
        with suppress(NotImplementedError):  # a kind of storage that cannot remove files
            repositories.get_artifact_repository(location, tracking_uri=client.tracking_uri).delete_artifacts()
        return
    folder = Path(url2pathname(address.path)).resolve()
    if database is not None and folder.is_relative_to(database.parent.resolve()):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _redirect_temporary_files() -> Iterator[None]:
    """Let MLflow write its temporary files, copies of the weights too, into a folder of this process.

    The folder is removed at the end; that of a killed process is found by its name at the next registration.
    """
    default = tempfile.tempdir
    folder = Path(tempfile.gettempdir()) / f"{_TEMPORARY}{name_process().replace(':', '+')}"
    folder.mkdir()
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = default
        shutil.rmtree(folder, ignore_errors=True)
