"""What MLflow itself loads or serves, checked first: an entry point of this package that MLflow calls.

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
    """Open the files behind models:/NAME/VERSION, which are compared with the version's digests when fetched."""
    return _verified_models()(artifact_uri, tracking_uri, registry_uri)


@cache
def _verified_models() -> type:
    from mlflow import MlflowClient
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

    from cotpd.registry.version_digests import FILES

    class VerifiedModels(ModelsArtifactRepository):
        def download_artifacts(
            self, artifact_path: str, dst_path: str | None = None, lineage_header_info: object = None
        ) -> str:
            place = super().download_artifacts(artifact_path, dst_path, lineage_header_info)
            if self.model_name and (Path(place) / "MLmodel").is_file():
                version = MlflowClient().get_model_version(self.model_name, str(self.model_version))
                if listed := version.tags.get(FILES):
                    _verify(Path(place), listed, f"models:/{self.model_name}/{self.model_version}")
            return place

    return VerifiedModels


def _verify(folder: Path, listed: str, name: str) -> None:
    from mlflow.exceptions import MlflowException

    from cotpd.errors import ModelError
    from cotpd.registry.version_digests import verify_files

    sys.dont_write_bytecode = True  # MLflow is about to import from the folder
    for caches in folder.rglob("__pycache__"):
        shutil.rmtree(caches, ignore_errors=True)
    if left := next(folder.rglob("__pycache__/*"), None):
        raise MlflowException.invalid_parameter_value(f"{name}: {left} is no part of it: remove it")
    try:
        verify_files(folder, listed, name)
    except ModelError as error:
        raise MlflowException.invalid_parameter_value(str(error)) from None
