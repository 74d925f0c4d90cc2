"""An entry point that MLflow calls before it loads or serves a version: the version's files are checked first.

MLflow reads it while it is being imported itself, so that nothing of MLflow may be imported before the first call.

Trade-off: it works where cotpd is installed. Elsewhere the packed cotpd/registry/served_model.py asks the
registry, before it imports anything of the version; it can vouch for everything but itself.
"""

import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any


def open_models(artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> Any:
    """Return MLflow's repository of a version's files, which checks them whenever it fetches them."""
    return _build_repository_class()(artifact_uri, tracking_uri, registry_uri)


@cache
def _build_repository_class() -> type:
    """Return MLflow's repository of models, made to compare a version's files with its registered digests."""
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository  # noqa: PLC0415  see the head

    class VerifiedModels(ModelsArtifactRepository):
        def download_artifacts(
            self, artifact_path: str, dst_path: str | None = None, lineage_header_info: object = None
        ) -> str:
            fetch = super().download_artifacts
            folder = str(fetch(artifact_path, dst_path, lineage_header_info))  # type: ignore[no-untyped-call]
            if not artifact_path:  # the whole model; MLflow runs nothing of a part of it
                name = f"{self.model_name}/{self.model_version}" if self.model_name else ""
                if tag := _find_digests(name, str(self.artifact_uri)):
                    _verify(Path(folder), tag, str(self.artifact_uri))
            return folder

    return VerifiedModels


def _find_digests(name: str, address: str) -> str | None:
    """Return the digests of a registered version, or of the version that a logged model became; None if none.

    MLflow itself turns runs:/RUN/student into the address of a logged model.

    Args:
        name: NAME/VERSION; "" for a logged model.
        address: The address of a logged model, models:/m-ID.
    """
    from mlflow import MlflowClient  # noqa: PLC0415  see the head

    from cotpd.registry.version_digests import FILES  # noqa: PLC0415  see the head

    client = MlflowClient()
    if name:
        return client.get_model_version(*name.rsplit("/", 1)).tags.get(FILES)
    model = client.get_logged_model(address.rpartition("/")[2])
    versions = client.search_model_versions(f"run_id = '{model.source_run_id}'")
    return next((version.tags[FILES] for version in versions if FILES in version.tags), None)


def _verify(folder: Path, tag: str, name: str) -> None:
    """Compare a folder with its version's digests; Python's caches in it, which have none, are removed first.

    Raises:
        MlflowException: A file is not as it was registered, or a cache cannot be removed.
    """
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  see the head

    from cotpd.errors import ModelError  # noqa: PLC0415  see the head
    from cotpd.escaping import warn  # noqa: PLC0415  see the head
    from cotpd.registry.version_digests import verify_files  # noqa: PLC0415  see the head

    sys.dont_write_bytecode = True  # MLflow is about to import from the folder
    for cache_folder in folder.rglob("__pycache__"):
        shutil.rmtree(cache_folder, ignore_errors=True)
    if leftover := next(folder.rglob("__pycache__/*"), None):
        raise MlflowException.invalid_parameter_value(f"{name}: {leftover} is no part of it: remove it")
    try:
        verify_files(folder, tag, name)
    except ModelError as error:
        warn(f"error: {error}")  # MLflow hides the message where runs:/ was asked for
        raise MlflowException.invalid_parameter_value(str(error)) from None
