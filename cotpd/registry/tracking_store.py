"""MLflow's store: its address, a client for it, and its errors with remedies.

MLflow takes over a second to import, so it is imported when a store is opened and not before.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from cotpd.errors import ModelError
from cotpd.extras import explain_missing_package
from cotpd.parameter_file import read_parameters
from cotpd.registry.params import RegisterParams
from cotpd.registry.relocation import repair_paths
from cotpd.service_errors import explain_object_store, explain_postgresql
from cotpd.storage import report_full_disk

if TYPE_CHECKING:
    from types import ModuleType

    from mlflow import MlflowClient as MlflowClient  # also for the annotations of packages that know no MLflow

SQLITE = "sqlite:///"
ARTIFACT_ROOT = "MLFLOW_DEFAULT_ARTIFACT_ROOT"  # MLflow's own name for where artifacts of new experiments go
_OBJECT_STORE_CLIENTS = ("boto3", "botocore")
_TRIES = 4  # to reach a database: MLflow's 10 take a hundred seconds, in silence
WRITABLE = "See that its database can be reached and written, and that its disk has room."
DESCRIPTION = "mlflow.note.content"  # the tag that MLflow shows as a run's or an experiment's description
_ABOUT = (
    "Runs of CoTPD. A run named after a version registered a student; the runs below it trained its models. "
    "Compare versions by the metrics test.student and test.gain: the student's score, and by how much it exceeds "
    "the baseline's, in [0, 1]."
)
REACHABLE = "Set MLFLOW_TRACKING_URI, or register.tracking_uri in params.yaml, to a store that answers."


class _RegisterSection(BaseModel):
    """Of params.yaml the section `register` alone: a mistake elsewhere in the file hides no registered model."""

    register_: RegisterParams = Field(default=RegisterParams(), alias="register")


def read_store_params(root: Path) -> RegisterParams:
    """Return the store that MLFLOW_TRACKING_URI names, otherwise the one of a folder's params.yaml.

    Raises:
        ModelError: There is neither.
        ConfigError: params.yaml cannot be read, or its section register is wrong.
    """
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return RegisterParams(tracking_uri=uri)
    if (root / "params.yaml").is_file():
        sections, _ = read_parameters(root / "params.yaml", _RegisterSection)
        return sections.register_
    raise ModelError(
        f"no registry is named: MLFLOW_TRACKING_URI is not set, and {root.resolve()} holds no params.yaml",
        "Set it, such as MLFLOW_TRACKING_URI=sqlite:////path/to/mlflow.db, or run in the project's folder.",
    )


def resolve_uri(params: RegisterParams, root: Path) -> str:
    """Return MLFLOW_TRACKING_URI, otherwise the parameter; a relative SQLite file is counted from ``root``."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or params.tracking_uri
    path = find_database(uri)
    return uri if path is None else f"{SQLITE}{(root.resolve() / path).as_posix()}"


def find_database(uri: str) -> Path | None:
    """Return the file behind a SQLite address; None for any other store."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def connect(params: RegisterParams, root: Path, *, create: bool = False) -> "MlflowClient":
    """Return a client of the registry.

    Args:
        params: Names the store.
        root: The project's folder, the one with params.yaml.
        create: Make a SQLite store that does not exist yet, which takes some six seconds.

    Raises:
        ModelError: There is no such store and it is not to be created, or MLflow does not know its kind.
    """
    uri = resolve_uri(params, root)
    path = find_database(uri)
    if path is not None and not path.is_file() and not create:
        raise ModelError(
            f"{path}: there is no registry here",
            "Train and register a student first: make run, or dvc repro.",
        )

    mlflow = _import_quietly(uri)
    with explain_errors(f"the registry {uri}", REACHABLE):
        client: MlflowClient = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        return client


def _import_quietly(uri: str) -> "ModuleType":
    """Import MLflow without telemetry and chatter, so that it gives up on a dead server or database in time."""
    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # MLflow's 7 take four minutes to give up
    import mlflow  # noqa: PLC0415  takes a second; see the head

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # its import sets INFO
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # logs with SQL what it raises as well
    if not is_server(uri):
        from mlflow.store.db import utils  # noqa: PLC0415  a database is opened, which imports it anyway

        utils.MAX_RETRY_COUNT = _TRIES
    return mlflow


def get_or_create_experiment(client: "MlflowClient", name: str) -> str:
    """Return the id of an experiment, created if there is none of that name.

    The artifacts of a new one go beside the database; MLflow's own default is the current folder. The paths of a
    store that was copied or moved are repaired before.
    """
    repair_paths(find_database(client.tracking_uri))
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    location = choose_artifact_location(client)
    return str(client.create_experiment(name, artifact_location=location, tags={DESCRIPTION: _ABOUT}))


def choose_artifact_location(client: "MlflowClient") -> str | None:
    """Return where a new experiment's artifacts go: beside a SQLite database; None: where a server puts them.

    Another database names no place, and MLflow would write into the current folder, which no other machine reads.
    """
    path = find_database(client.tracking_uri)
    if path is not None:
        return (path.parent / "mlruns").as_uri()
    root = os.environ.get(ARTIFACT_ROOT, "").rstrip("/")
    return f"{root}/cotpd" if root and not is_server(client.tracking_uri) else None


def is_server(uri: str) -> bool:
    """Whether an address is that of MLflow's server, which stands before the database."""
    return uri.startswith(("http://", "https://"))


@contextmanager
def use_store(client: "MlflowClient") -> Iterator[None]:
    """Make MLflow's module-level functions write to a client's store inside the block.

    MLflow keeps the address in MLFLOW_TRACKING_URI, where it would outweigh params.yaml until the process ends.
    """
    import mlflow  # noqa: PLC0415  takes a second; see the head

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None unsets it, which its annotation leaves out
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


@contextmanager
def explain_errors(subject: str, remedy: str) -> Iterator[None]:
    """Turn every error of MLflow, its database or its server inside the block into a ModelError.

    Args:
        subject: What the block reads or writes, as the message's beginning.
        remedy: What a user can do if MLflow does not have it.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  takes a second; see the head
    from requests.exceptions import RequestException  # noqa: PLC0415  takes a second; see the head
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  takes a second; see the head

    try:
        with report_full_disk(subject):
            yield
    except MlflowException as error:
        if isinstance(error.__context__, RequestException):
            raise ModelError(f"{subject}: the tracking server does not answer", REACHABLE) from None
        _raise_meaning(subject, error.message)
        problem, sql, _ = error.message.partition("\n[SQL: ")
        raise ModelError(f"{subject}: {problem}", WRITABLE if sql else remedy) from None
    except SQLAlchemyError as error:
        _raise_meaning(subject, str(error))
        raise ModelError(f"{subject}: {str(error).partition(chr(10))[0]}", WRITABLE) from None
    except ModuleNotFoundError as error:  # the driver of a database, or the client of an object store
        explained = explain_missing_package(error)
        install = explained.remedy if explained else f"Install it: pip install {error.name}."
        raise ModelError(f"{subject}: {error}", install) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] in _OBJECT_STORE_CLIENTS:
            _raise_meaning(subject, str(error))
            raise ModelError(f"{subject}: {error}", remedy) from None
        raise


def _raise_meaning(subject: str, message: str) -> None:
    """Raise a ModelError with the meaning of an object store's or a database's error; return for another one."""
    meaning = explain_object_store(message) or explain_postgresql(message)
    if meaning is not None:
        raise ModelError(f"{subject}: {meaning.problem}", meaning.remedy) from None
