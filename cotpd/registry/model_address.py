"""From what a user calls a model to the local folder of its weights: a folder, or an address in MLflow.

MLflow's own loading machinery is left out: it would run the code that was packed with the model. A store on this
machine hands out its own folder; what comes from a server is copied once into the cache, since a version never
changes.
"""

import hashlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse
from urllib.request import url2pathname

from cotpd.errors import ModelError
from cotpd.escaping import warn
from cotpd.registry.params import RegisterParams
from cotpd.registry.relocation import find_artifacts
from cotpd.registry.tracking_store import REACHABLE, connect, database, explained, store_params
from cotpd.registry.version_digests import FILES, verify_files
from cotpd.registry.versions import Version, find
from cotpd.weights.catalogue import cache_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

_VERSION = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")
_RUN = re.compile(r"runs:/(?P<run>[0-9a-f]+)(?:/(?P<path>.+))?")
_PACKED = "student"  # what the register step calls a model within its run
_GONE = "Its files are gone: register the student again with dvc repro -f -s register."


def find_student_folder(model: str | Path, params: RegisterParams | None = None, root: Path | None = None) -> Path:
    """The folder of a student.

    Args:
        model: A folder, ``models:/NAME@ALIAS``, ``models:/NAME/VERSION`` or ``runs:/RUN/PATH`` (PATH may be left
            out of a run that the register step made).
        params: Names the registry; params.yaml in ``root`` unless given. MLFLOW_TRACKING_URI outweighs both.
        root: The project's folder, from which a relative store is counted; the current one unless given.

    Returns:
        A folder that ``Student.from_pretrained`` reads. Nobody may write to it.

    Raises:
        ModelError: There is no such folder, registry, model, version, alias or run, or its files are gone.
        ConfigError: params.yaml is needed and cannot be read.
    """
    name = str(model)
    if not name.startswith(("models:", "runs:")):
        return _folder(name)
    version, run = _VERSION.fullmatch(name), _RUN.fullmatch(name)
    if version is None and run is None:
        raise ModelError(
            f"{name}: not a model's name", "Write models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN/student."
        )
    root = root or Path.cwd()
    client = connect(params or store_params(root), root)
    location = _of_version(client, version) if version else _of_run(client, run)
    with explained(name, _GONE):
        folder = _local(client, location)
    _verify(client, name, folder)
    return _student_in(folder, name)


def require_unchanged(client: "MlflowClient", version: Version) -> None:
    """Refuse a version whose files are not those that were registered; one without digests is let pass.

    Raises:
        ModelError: A file was changed, added or removed, or all are gone; the message names it.
    """
    if listed := version.tags.get(FILES):
        name = f"models:/{version.name}/{version.number}"
        with explained(name, _GONE):
            location = client.get_model_version_download_uri(version.name, str(version.number))
            verify_files(_local(client, location), listed, name)


def _verify(client: "MlflowClient", name: str, folder: Path) -> None:
    """Compare a packed model with the digests of its version, before any of its files is read."""
    if not (folder / "MLmodel").is_file() and not name.startswith("models:"):
        return  # logged by hand
    listed = _listed(client, name)
    if listed and folder.is_dir():
        verify_files(folder, listed, name)
    elif folder.is_dir():
        warn(f"warning: {name} was registered without the digests of its files, so they are not checked")


def _listed(client: "MlflowClient", name: str) -> str | None:
    """The digests that belong to a model's name; None for a version of an earlier release."""
    if version := _VERSION.fullmatch(name):
        return find(client, version["name"], version["alias"] or version["number"]).tags.get(FILES)
    with explained(name, REACHABLE):
        versions = client.search_model_versions(f"run_id = '{_RUN.fullmatch(name)['run']}'")
    return next((version.tags[FILES] for version in versions if FILES in version.tags), None)


def _folder(name: str) -> Path:
    path = Path(name)
    if not name or not path.is_dir():
        what = "a file, and no folder" if path.is_file() else "there is no such folder"
        raise ModelError(  # in the user's words: a path would make s3:/bucket of s3://bucket, and . of nothing
            f"{name or repr(name)}: {what}",
            "Name a trained student, such as models/student or models:/cotpd-ner@champion.",
        )
    return path


def _of_version(client: "MlflowClient", parts: re.Match[str]) -> str:
    version = find(client, parts["name"], parts["alias"] or parts["number"])
    with explained(parts[0], _GONE):
        return client.get_model_version_download_uri(version.name, str(version.number))


def _of_run(client: "MlflowClient", parts: re.Match[str]) -> str:
    """Where a run's model lies: a logged model has a place of its own, other artifacts lie below the run's."""
    path = parts["path"] or _PACKED
    with explained(parts[0], "Name a run that `mlflow ui` or cotpd registry list shows."):
        run = client.get_run(parts["run"])
        for output in run.outputs.model_outputs if run.outputs else ():
            model = client.get_logged_model(output.model_id)
            if model.name == path:
                return model.artifact_location
    return f"{run.info.artifact_uri}/{path}"


def _local(client: "MlflowClient", location: str) -> Path:
    """The artifacts at a location as a local folder; those of a copied or moved store lie below its own."""
    location = find_artifacts(location, database(client.tracking_uri))
    address = urlparse(location)
    if address.scheme in ("file", ""):
        return Path(url2pathname(address.path))
    from filelock import FileLock

    cache = cache_folder() / "registered"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / hashlib.sha256(f"{client.tracking_uri} {location}".encode()).hexdigest()[:32]
    with FileLock(f"{target}.lock"):
        return target if target.is_dir() else _download(client, location, target)


def _download(client: "MlflowClient", location: str, target: Path) -> Path:
    import mlflow

    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f"{target.name}.") as scratch:
        found = mlflow.artifacts.download_artifacts(location, dst_path=scratch, tracking_uri=client.tracking_uri)
        return Path(found).rename(target)


def _student_in(folder: Path, name: str) -> Path:
    """The student's folder within what was logged: a packed model keeps it below artifacts/."""
    if not folder.is_dir():
        raise ModelError(f"{name}: {folder} is not there", _GONE)
    if not (folder / "MLmodel").is_file():
        return folder
    inside = sorted(path for path in (folder / "artifacts").glob("*") if path.is_dir())
    if len(inside) != 1:
        raise ModelError(f"{name}: a packed model without a student in it", "Name one that cotpd registered.")
    return inside[0]
