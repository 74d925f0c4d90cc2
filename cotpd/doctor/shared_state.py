"""The state that a team shares: the DVC remote, MLflow's artifacts, and what the environment names for them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from cotpd.doctor.finding import Finding, Status
from cotpd.errors import ConfigError
from cotpd.passwords import hide_passwords
from cotpd.registry.tracking_store import ARTIFACT_ROOT, find_database, is_server
from cotpd.service_errors import explain_object_store

if TYPE_CHECKING:
    from cotpd.registry.tracking_store import MlflowClient

REMOTE = "COTPD_REMOTE"  # the environment variable with the address that DVC's default remote should have
_SECONDS = 3.0  # that an object store may take to answer
_LIMIT = 60.0  # seconds for DVC to read its configuration, on a busy machine


def check_remote(root: Path) -> Iterator[Finding]:
    """Check DVC's default remote: that it is the one of COTPD_REMOTE, and that a bucket can be read.

    A remote that cannot be reached stops no step. Where the environment names it, the machine is to share, and it
    counts as a problem.
    """
    if find_spec("dvc") is None or not (root / ".dvc").is_dir():
        return  # which other checks say
    named = os.environ.get(REMOTE, "").rstrip("/")
    settings = _read_dvc_settings(root)
    name = settings.get("core.remote")
    address = settings.get(f"remote.{name}.url", "").rstrip("/")
    if not address:
        yield _describe_missing_remote(named)
        return
    if named and named != address:
        remedy = f"Correct one of them: dvc remote modify {name} url {_quote(named)}"
        yield Finding(
            "remote", Status.PROBLEM, f"DVC's remote {name} is {address}, and {REMOTE} is {named}", remedy
        )
        return
    if urlparse(address).scheme != "s3":
        yield Finding("remote", Status.OK, f"{name} is {address}, which is not looked at")
        return
    endpoint = settings.get(f"remote.{name}.endpointurl")
    yield _check_bucket("remote", address, endpoint, Status.PROBLEM if named else Status.NOTE)


def check_artifacts(client: "MlflowClient", experiment: str) -> Iterator[Finding]:
    """Check where MLflow puts the artifacts of new runs, if its store is a server or a shared database."""
    if find_database(client.tracking_uri) is not None:
        return
    existing = client.get_experiment_by_name(experiment)
    location = existing.artifact_location if existing else os.environ.get(ARTIFACT_ROOT, "")
    if urlparse(location).scheme == "s3":
        yield _check_bucket("artifacts", location, None, Status.PROBLEM)
    elif not location and not is_server(client.tracking_uri):
        remedy = f"Set {ARTIFACT_ROOT}, such as s3://cotpd/mlflow, before the first student is registered."
        problem = "students would be written into this folder, which no other machine reads"
        yield Finding("artifacts", Status.NOTE, problem, remedy)


def _read_dvc_settings(root: Path) -> dict[str, str]:
    """Return DVC's settings of all levels by name.

    Raises:
        ConfigError: DVC cannot read them.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "dvc", "config", "--list"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT,
    )
    if listed.returncode:
        reason = (listed.stderr.strip().splitlines() or ["it gives no reason"])[0]
        remedy = "Mend .dvc/config; `dvc config --list` reads it."
        raise ConfigError(f"DVC cannot read its settings: {reason}", remedy)
    return dict(line.split("=", 1) for line in listed.stdout.splitlines() if "=" in line)


def _quote(address: str) -> str:
    """Return an address as a command takes it: a password stays in the variable that has it."""
    return address if hide_passwords(address) == address else f'"${REMOTE}"'


def _describe_missing_remote(named: str) -> Finding:
    if not named:
        return Finding("remote", Status.OK, "DVC has no remote: outputs stay on this machine")
    remedy = f"dvc remote add --default shared {_quote(named)}, then commit .dvc/config"
    return Finding("remote", Status.PROBLEM, f"{REMOTE} is {named}, and DVC has no default remote", remedy)


def _check_bucket(area: str, address: str, endpoint: str | None, severity: Status) -> Finding:
    """Check that a bucket can be listed with the credentials of the environment."""
    try:
        _list_bucket(address, endpoint)
    except ModuleNotFoundError as error:
        return Finding(
            area, severity, f"{address}: the package {error.name} is missing", "pip install 'cotpd[s3]'"
        )
    except ConfigError as error:
        return Finding(area, severity, f"{address}: {error.problem}", error.remedy)
    return Finding(area, Status.OK, f"{address} can be read")


def _list_bucket(address: str, endpoint: str | None) -> None:
    """List one object of a bucket.

    Raises:
        ConfigError: The store does not answer, has no such bucket, or refuses the credentials.
        ModuleNotFoundError: Its client is not installed.
    """
    import boto3  # noqa: PLC0415  an optional extra
    from boto3.exceptions import Boto3Error  # noqa: PLC0415  an optional extra
    from botocore.config import Config  # noqa: PLC0415  an optional extra
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  an optional extra

    bucket = urlparse(address)
    limits = Config(connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 1})
    try:
        client = boto3.session.Session().client("s3", endpoint_url=endpoint, config=limits)
        client.list_objects_v2(Bucket=bucket.netloc, Prefix=bucket.path.lstrip("/"), MaxKeys=1)
    except (Boto3Error, BotoCoreError, ClientError, ValueError) as error:
        meaning = explain_object_store(str(error))
        problem, remedy = meaning or (str(error), "See the message; cotpd.env.example shows what is to be set.")
        raise ConfigError(problem, remedy) from None
