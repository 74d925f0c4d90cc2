"""The export of a registered version: its ONNX graphs as a second flavour of the same student.

Trade-off: it lies with the version's run and not among the version's files, whose digests were fixed when it was
registered; a tag of the version holds the digests of the export, so that neither can be changed unseen. Where a
version is used, its export is kept in the cache under the digest of the weights.
"""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from cotpd.errors import ModelError
from cotpd.files import compute_sha256
from cotpd.registry.relocation import find_artifacts
from cotpd.registry.tracking_store import REACHABLE, explain_errors, find_database
from cotpd.registry.versions import Version
from cotpd.weights import find_cache_folder

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPORT = "sha256.export"  # the tag: {"path": of the run's artifacts, "weights": sha256, "files": sha256 by name}
_REMEDY = "Export the version again: cotpd export --model models:/NAME/VERSION."


def find_cached_export(weights: str) -> Path:
    """Return where the export of a registered version lies in the cache, by the sha256 of its weights."""
    return find_cache_folder() / "exports" / weights


def is_export_cached(tag: str) -> bool:
    """Whether the cache holds the export that a version's tag describes, unchanged."""
    export = json.loads(tag)
    digests: dict[str, str] = export["files"]
    return _list_digests(find_cached_export(export["weights"])) == digests


def attach_export(client: "MlflowClient", version: Version, folder: Path, weights: str) -> None:
    """Add an export to a version, in place of an earlier one; the tag, written last, makes it count.

    Args:
        client: A client of the registry.
        version: The version that was exported.
        folder: The export.
        weights: The sha256 of the version's weights.

    Raises:
        ModelError: The registry cannot be written.
    """
    files = {path.name: compute_sha256(path) for path in sorted(folder.iterdir())}
    content = json.dumps(files, separators=(",", ":"))
    path = f"export/{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    tag = json.dumps({"path": path, "weights": weights, "files": files}, separators=(",", ":"))
    with explain_errors(f"the export of {version.address}", REACHABLE):
        client.log_artifacts(version.run_id, str(folder), path)
        client.set_model_version_tag(version.name, str(version.number), EXPORT, tag)


def fetch_export(client: "MlflowClient", version: Version) -> None:
    """Put the export of a version into the cache, if it has one that is not there yet.

    Raises:
        ModelError: Its files are gone, or are not those that were exported.
    """
    if not (text := version.tags.get(EXPORT)):
        return
    tag = json.loads(text)
    target = find_cached_export(tag["weights"])
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if _list_digests(target) == tag["files"]:
            return
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            folder = _download(client, version, tag["path"], scratch)
            for name, digest in tag["files"].items():
                if _list_digests(folder).get(name) != digest:
                    raise ModelError(f"{version.address}: {name} of its export was changed or removed", _REMEDY)
            shutil.rmtree(target, ignore_errors=True)
            folder.rename(target)


def _download(client: "MlflowClient", version: Version, path: str, scratch: str) -> Path:
    """Copy an export from its run; a copied or moved store has it below its own folder."""
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

    with explain_errors(f"the export of {version.address}", _REMEDY):
        location = f"{client.get_run(version.run_id).info.artifact_uri}/{path}"
        location = find_artifacts(location, find_database(client.tracking_uri))
        folder = mlflow.artifacts.download_artifacts(location, dst_path=scratch, tracking_uri=client.tracking_uri)
        return Path(folder)


def _list_digests(folder: Path) -> dict[str, str]:
    return {path.name: compute_sha256(path) for path in folder.iterdir()} if folder.is_dir() else {}
