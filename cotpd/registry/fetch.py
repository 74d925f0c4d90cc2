"""From the name of a registered model to a local folder with its weights, without MLflow's model machinery."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.config import RegisterParams
from cotpd.errors import ModelError
from cotpd.registry.aliases import find
from cotpd.registry.store import connect, explained

if TYPE_CHECKING:
    from mlflow import MlflowClient

_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<number>\d+))")


def fetch(model: str | Path, params: RegisterParams | None = None, root: Path | None = None) -> Path:
    """The folder of a student.

    Args:
        model: ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, or a folder.
        params: Names the registry; the defaults unless given.
        root: The project's folder; the current one unless given.

    Returns:
        A folder that ``Student.from_pretrained`` reads: the registry's own where it is on this machine, else a
        temporary copy. Nobody may write to it.

    Raises:
        ModelError: There is no such folder, registry, model, version or alias, or its files are gone.
    """
    if not str(model).startswith("models:"):
        return _folder(Path(model))
    parts = _URI.fullmatch(str(model))
    if parts is None:
        raise ModelError(f"{model}: not a model's name", "Write models:/NAME@ALIAS or models:/NAME/VERSION.")
    client = connect(params or RegisterParams(), root or Path.cwd())
    version = find(client, parts["name"], parts["alias"] or parts["number"])
    with explained(str(model), "Its files are gone: register the student again with dvc repro -f -s register."):
        return _download(client, version.name, version.number)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ModelError(f"{path}: there is no such folder", "Name a trained student, such as models/student.")
    return path


def _download(client: "MlflowClient", name: str, number: int) -> Path:
    import mlflow

    location = client.get_model_version_download_uri(name, str(number)).rstrip("/")
    packed = mlflow.artifacts.download_artifacts(f"{location}/artifacts", tracking_uri=client.tracking_uri)
    return next(Path(packed).iterdir())  # the student alone, under the name of the folder it was packed from
