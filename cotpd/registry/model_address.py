"""Finding the local folder behind a model's address, which is a folder or an address in MLflow.

MLflow's own loading machinery is left out: it would run the code that was packed with the model. A store on this
machine hands out its own folder; what comes from a server is copied once into the cache, since a version never
changes.
"""

import hashlib
import re
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

from filelock import FileLock

from cotpd.errors import ModelError
from cotpd.escaping import warn
from cotpd.files import compute_sha256
from cotpd.registry.params import RegisterParams
from cotpd.registry.relocation import find_artifacts
from cotpd.registry.store_answers import ask_store
from cotpd.registry.tracking_store import (
    REACHABLE,
    connect,
    explain_errors,
    find_database,
    read_store_params,
    resolve_uri,
)
from cotpd.registry.version_digests import FILES, verify_files
from cotpd.registry.version_export import EXPORT, attach_export, fetch_export, is_export_cached
from cotpd.registry.versions import Version, find_version
from cotpd.weights import find_cache_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

_VERSION = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")
_RUN = re.compile(r"runs:/(?P<run>[0-9a-f]+)(?:/(?P<path>.+))?")
_PACKED = "student"  # the name of the model that the register step logs to its run
_GONE = "Its files are gone: register the student again with dvc repro -f -s register."


class VersionAddress(NamedTuple):
    """The parts of ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``; one of the last two is None."""

    name: str
    alias: str | None
    number: str | None

    @property
    def label(self) -> str:
        """The alias or the number, as :func:`cotpd.registry.versions.find_version` takes it."""
        return self.alias or self.number or ""


def parse_version_address(address: str) -> VersionAddress | None:
    """Return the parts of a version's address; None for a folder, a run or anything else."""
    match = _VERSION.fullmatch(address)
    return None if match is None else VersionAddress(match["name"], match["alias"], match["number"])


def find_student_folder(
    address: str | Path, params: RegisterParams | None = None, root: Path | None = None
) -> Path:
    """Return the folder of a student.

    Args:
        address: A folder, ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` or ``runs:/RUN/PATH`` (PATH may be left
            out of a run that the register step made).
        params: Names the registry; params.yaml in ``root`` unless given. MLFLOW_TRACKING_URI outweighs both.
        root: The project's folder, from which a relative store is counted; the current one unless given.

    Returns:
        A folder that ``Student.from_pretrained`` reads. It belongs to the registry: write nothing to it.

    Raises:
        ModelError: There is no such folder, registry, model, version, alias or run, or its files are gone or are
            not those that were registered.
        ConfigError: params.yaml is needed and cannot be read.
    """
    name = str(address)
    if not name.startswith(("models:", "runs:")):
        return _require_folder(name)
    version, run = parse_version_address(name), _RUN.fullmatch(name)
    root = root or Path.cwd()
    if version is not None:
        return _find_version_folder(params or read_store_params(root), root, version, name)
    if run is not None:
        client = connect(params or read_store_params(root), root)
        return _find_run_folder(client, run)
    remedy = "Write models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN/student."
    raise ModelError(f"{name}: not a model's name", remedy)


def require_unchanged(client: "MlflowClient", version: Version) -> None:
    """Refuse a version whose files are not those that were registered; without digests, they need only be there.

    Raises:
        ModelError: A file was changed, added or removed, or all are gone; the message names it.
    """
    folder = _fetch_version_files(client, version, version.address)
    if tag := version.tags.get(FILES):
        verify_files(folder, tag, version.address)
    elif not folder.is_dir():
        raise ModelError(f"{version.address}: {folder} is not there", _GONE)


def fetch_version(client: "MlflowClient", version: Version, name: str = "") -> Path:
    """Return the folder of all files of a version, compared with their digests; it belongs to the registry.

    Args:
        client: A client of the registry.
        version: One of its versions.
        name: For messages; its address unless given.

    Raises:
        ModelError: Its files are gone, or are not those that were registered; the message names one.
    """
    name = name or version.address
    folder = _fetch_version_files(client, version, name)
    _verify(folder, version.tags.get(FILES), name)
    try:
        fetch_export(client, version)
    except ModelError as error:  # torch predicts the same, and nothing of the export is read
        warn(f"warning: {error}")
    return folder


def attach_export_of(address: str, folder: Path, weights: str) -> None:
    """Add an export to the version of an address in MLflow.

    Args:
        address: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        folder: The export.
        weights: The sha256 of the version's weights.

    Raises:
        ModelError: There is no such version, it has other weights by now, or the registry cannot be written.
    """
    parts = parse_version_address(address)
    if parts is None:
        raise ModelError(f"{address}: not a version's name", "Write models:/NAME@ALIAS or models:/NAME/VERSION.")
    client = connect(read_store_params(Path.cwd()), Path.cwd())
    version = find_version(client, parts.name, parts.label)
    student = _find_student_in(fetch_version(client, version), address)
    if compute_sha256(student / "model.safetensors") != weights:
        raise ModelError(f"{address} has moved to another version meanwhile", "Export it again.")
    attach_export(client, version, folder, weights)


def _require_folder(name: str) -> Path:
    path = Path(name)
    if not name or not path.is_dir():
        problem = "a file, and no folder" if path.is_file() else "there is no such folder"
        raise ModelError(  # in the user's words: a path would make s3:/bucket of s3://bucket, and . of nothing
            f"{name or repr(name)}: {problem}",
            "Name a trained student, such as models/student or models:/cotpd-ner@champion.",
        )
    return path


def _find_version_folder(params: RegisterParams, root: Path, address: VersionAddress, name: str) -> Path:
    """Return the student's folder in a version, its files compared with their digests.

    A local registry that has not changed since it was asked is not asked again, which spares importing MLflow.
    """
    database = find_database(resolve_uri(params, root))
    located = ask_store(database, name, partial(_locate_version, params, root, address, name))
    folder, files, export = Path(located["folder"]), located["files"], located["export"]
    if files and folder.is_dir() and (not export or is_export_cached(export)):
        verify_files(folder, files, name)
        return _find_student_in(folder, name)
    client = connect(params, root)
    version = find_version(client, address.name, address.label)
    return _find_student_in(fetch_version(client, version, name), name)


def _locate_version(
    params: RegisterParams, root: Path, address: VersionAddress, name: str
) -> dict[str, str | None]:
    """Ask MLflow where the files of a version lie, and for the tags with their digests."""
    client = connect(params, root)
    version = find_version(client, address.name, address.label)
    folder = _fetch_version_files(client, version, name)
    return {"folder": str(folder), "files": version.tags.get(FILES), "export": version.tags.get(EXPORT)}


def _fetch_version_files(client: "MlflowClient", version: Version, name: str) -> Path:
    """Return the folder of a version's files, unverified; ``name`` is for messages."""
    with explain_errors(name, _GONE):
        location = client.get_model_version_download_uri(version.name, str(version.number))
        return _fetch_artifacts(client, location)


def _find_run_folder(client: "MlflowClient", address: re.Match[str]) -> Path:
    name = address[0]
    location, is_model = _locate_model_of_run(client, address)
    with explain_errors(name, _GONE):
        folder = _fetch_artifacts(client, location)

    if is_model:  # else a folder that was logged by hand, of which there are no digests
        with explain_errors(name, REACHABLE):
            versions = client.search_model_versions(f"run_id = '{address['run']}'")
        tags = [version.tags[FILES] for version in versions if FILES in version.tags]
        _verify(folder, tags[0] if tags else None, name)
    return _find_student_in(folder, name)


def _locate_model_of_run(client: "MlflowClient", address: re.Match[str]) -> tuple[str, bool]:
    """Return where a run's model lies, and whether it is a logged model, which has a location of its own.

    The database says so, not the files: a folder whose MLmodel was taken away would go unchecked.
    """
    path = address["path"] or _PACKED
    with explain_errors(address[0], "Name a run that `mlflow ui` or cotpd registry list shows."):
        run = client.get_run(address["run"])
        for output in run.outputs.model_outputs if run.outputs else ():
            model = client.get_logged_model(output.model_id)
            if model.name == path:
                return str(model.artifact_location), True
    return f"{run.info.artifact_uri}/{path}", False


def _verify(folder: Path, tag: str | None, name: str) -> None:
    """Compare a packed model with the digests of its version, before any of its files is read."""
    if not folder.is_dir():
        return  # _find_student_in names it
    if tag:
        verify_files(folder, tag, name)
    else:
        warn(f"warning: {name} was registered without the digests of its files, so they are not checked")


def _fetch_artifacts(client: "MlflowClient", location: str) -> Path:
    """Return the artifacts at a location as a local folder, downloaded unless they are local or in the cache.

    Those of a copied or moved store lie below the store's own folder, whatever its database says.
    """
    location = find_artifacts(location, find_database(client.tracking_uri))
    address = urlparse(location)
    if address.scheme in ("file", ""):
        return Path(url2pathname(address.path))

    cache = find_cache_folder() / "registered"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / hashlib.sha256(f"{client.tracking_uri} {location}".encode()).hexdigest()[:32]
    with FileLock(f"{target}.lock"):
        return target if target.is_dir() else _download(client, location, target)


def _download(client: "MlflowClient", location: str, target: Path) -> Path:
    """Download artifacts beside the target, then rename them: a killed download leaves no half folder there."""
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as scratch:
        folder = mlflow.artifacts.download_artifacts(location, dst_path=scratch, tracking_uri=client.tracking_uri)
        return Path(folder).rename(target)


def _find_student_in(folder: Path, name: str) -> Path:
    """Return the student's folder within what was logged: a packed model keeps it below artifacts/."""
    if not folder.is_dir():
        raise ModelError(f"{name}: {folder} is not there", _GONE)
    if not (folder / "MLmodel").is_file():
        return folder
    students = sorted(path for path in (folder / "artifacts").glob("*") if path.is_dir())
    if len(students) != 1:
        raise ModelError(f"{name}: a packed model without a student in it", "Name one that cotpd registered.")
    return students[0]
