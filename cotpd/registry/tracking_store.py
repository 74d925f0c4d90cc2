"""The door to MLflow: which store is meant, a client for it, and errors a user can act on.

MLflow takes over a second to import, so it is imported when a store is opened and not before.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.config import load_params
from cotpd.errors import ModelError
from cotpd.registry.params import RegisterParams
from cotpd.storage import report_full_disk

if TYPE_CHECKING:
    from mlflow import MlflowClient

SQLITE = "sqlite:///"
WRITABLE = "See that its database can be reached and written, and that its disk has room."
REACHABLE = "Set MLFLOW_TRACKING_URI, or register.tracking_uri in params.yaml, to a store that answers."


def store_params(root: Path) -> RegisterParams:
    """What names the store where nobody says: MLFLOW_TRACKING_URI, else params.yaml of a folder.

    Raises:
        ModelError: There is neither.
        ConfigError: params.yaml cannot be read.
    """
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return RegisterParams(tracking_uri=uri)
    if (root / "params.yaml").is_file():
        return load_params(root / "params.yaml").register_
    raise ModelError(
        f"no registry is named: MLFLOW_TRACKING_URI is not set, and {root.resolve()} holds no params.yaml",
        "Set it, such as MLFLOW_TRACKING_URI=sqlite:////path/to/mlflow.db, or run in the project's folder.",
    )


def tracking_uri(params: RegisterParams, root: Path) -> str:
    """MLFLOW_TRACKING_URI if set, else the parameter; a relative SQLite file is counted from ``root``."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or params.tracking_uri
    path = database(uri)
    return uri if path is None else f"{SQLITE}{(root.resolve() / path).as_posix()}"


def database(uri: str) -> Path | None:
    """The file behind a SQLite address; None for any other store."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def connect(params: RegisterParams, root: Path, *, create: bool = False) -> "MlflowClient":
    """A client for the registry.

    Args:
        params: Names the store.
        root: The project's folder, the one with params.yaml.
        create: Make a SQLite store that does not exist yet, which takes some six seconds.

    Raises:
        ModelError: There is no such store and it is not to be created, or MLflow does not know its kind.
    """
    uri = tracking_uri(params, root)
    path = database(uri)
    if path is not None and not path.is_file() and not create:
        raise ModelError(
            f"{path}: there is no registry here",
            "Train and register a student first: make run, or dvc repro.",
        )
    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # its own 7 take four minutes to give up
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.WARNING)  # its import sets INFO
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # logs with SQL what it raises as well
    with explained(f"the registry {uri}", REACHABLE):
        return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def current(client: "MlflowClient") -> Iterator[None]:
    """Make a client's store the one that MLflow's module-level functions write to, for a while.

    MLflow keeps it in MLFLOW_TRACKING_URI, where it would outweigh params.yaml for the rest of the process.
    """
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(client.tracking_uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


@contextmanager
def explained(what: str, remedy: str) -> Iterator[None]:
    """Turn whatever MLflow raises inside into a ModelError.

    Args:
        what: What was looked for, as the message's beginning.
        remedy: What to do if it is not there.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with report_full_disk(what):
            yield
    except MlflowException as error:
        if isinstance(error.__context__, RequestException):
            raise ModelError(f"{what}: the tracking server does not answer", REACHABLE) from None
        problem, sql, _ = error.message.partition("\n[SQL: ")
        raise ModelError(f"{what}: {problem}", WRITABLE if sql else remedy) from None
    except SQLAlchemyError as error:
        raise ModelError(f"{what}: {str(error).partition(chr(10))[0]}", WRITABLE) from None
    except ModuleNotFoundError as error:  # the driver of a database
        raise ModelError(f"{what}: {error}", f"Install it: pip install {error.name}.") from None
