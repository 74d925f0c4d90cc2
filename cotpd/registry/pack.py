"""One MLflow run per registered student: parameters, scores, digests of the data, the report, and the model.

The package travels inside the model (models-from-code, no pickle), so that a version keeps predicting as it did
when it was registered, whatever the checkout does afterwards. It costs some 300 KB a version beside the weights.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from cotpd.config import Params
from cotpd.errors import ModelError
from cotpd.outputs import read_outputs
from cotpd.registry.aliases import set_alias
from cotpd.registry.leftovers import clear_leftovers, registering
from cotpd.registry.prompt_versions import register_prompts, used_prompts
from cotpd.registry.tracking_store import connect, current, explained
from cotpd.registry.version_digests import FILES, list_digests
from cotpd.student.curves import adopt_runs, get_or_create_experiment
from cotpd.student.tasks import TaskName, find_task

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parents[1]
STUDENT = "student"  # the artifact's key in a packed model
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic", "pyyaml", "regex", "safetensors", "torch", "transformers")


@dataclass(frozen=True)
class Registered:
    """Where a student went."""

    name: str
    version: int
    alias: str
    uri: str
    run_id: str


def register(
    params: Params,
    student: Path,
    metrics: Mapping[str, Any],
    *,
    evaluation: Path | None = None,
    tables: Sequence[Path] = (),
    trained: Sequence[Path] = (),
    extra_tags: Mapping[str, str] | None = None,
    root: Path = Path(),
) -> Registered:
    """Log a run, register the student as a new version, and give it ``params.register.alias``.

    Args:
        params: All of params.yaml; logged flattened.
        student: The trained student's folder.
        metrics: Of :func:`cotpd.evaluation.results_table.compute_metrics`; logged flattened.
        evaluation: Folder with report and plots; logged as artifacts.
        tables: Prepared tables whose sha256 is kept with the run and the version.
        trained: Folders of models whose training runs are put below this run and named in its tags.
        extra_tags: Further tags of the run and the version.
        root: The project's folder, where a SQLite store lies.

    Raises:
        ModelError: The student's folder is missing, or MLflow refuses.
    """
    if not student.is_dir():
        raise ModelError(f"{student}: there is no such folder", "Train the student first: dvc repro train.")
    client = connect(params.register_, root, create=True)
    import mlflow

    name = params.registered_name
    with explained(f"registering {name}", "See the message; the tracking server must be reachable and writable."):
        experiment = get_or_create_experiment(client, params.register_.experiment)
        tags = {f"sha256.{path.name}": digest(path) for path in tables} | _commit(root) | dict(extra_tags or {})
        clear_leftovers(client, experiment)
        with current(client), registering(client, experiment, name) as run:
            tags |= adopt_runs(client, experiment, run.info.run_id, trained)
            tags |= register_prompts(client, used_prompts(params))
            mlflow.set_tags(tags)
            mlflow.log_params(_flat(params.model_dump(mode="json", by_alias=True)))
            mlflow.log_metrics(_figures(metrics))
            if evaluation is not None:
                mlflow.log_artifacts(str(evaluation), "evaluation")
            source = _log_model(params.task, student)
            # Within the run: killed before, it is a run without a version, which the next registration clears.
            tags |= _headlines(metrics) | {FILES: _list_files(client, source)}
            number = _version(client, name, source, run.info.run_id, tags)
    set_alias(client, name, params.register_.alias, number)
    uri = f"models:/{name}@{params.register_.alias}"
    return Registered(name, number, params.register_.alias, uri, run.info.run_id)


def digest(path: Path) -> str:
    """sha256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def signature(task: TaskName) -> "ModelSignature":
    """Return the columns that served_model's `predict` returns for each row; it checks what goes in itself."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array, Object, Property

    definition = find_task(task)
    outputs = {name: DataType[kind] for name, kind in definition.output_columns.items()}
    if definition.output_list is None:
        return ModelSignature(None, Schema([ColSpec(kind, name) for name, kind in outputs.items()]))
    record = Object([Property(name, kind) for name, kind in outputs.items()])
    return ModelSignature(None, Schema([ColSpec(Array(record), definition.output_list)]))


def _log_model(task: TaskName, student: Path) -> str:
    import mlflow
    import pandas as pd

    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "cotpd"
        shutil.copytree(PACKAGE, code, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        model = mlflow.pyfunc.log_model(
            name=STUDENT,
            python_model=str(code / "registry" / "served_model.py"),
            artifacts={STUDENT: str(student.resolve())},
            code_paths=[str(code)],
            signature=signature(task),
            input_example=pd.DataFrame([find_task(task).example_row]),
            pip_requirements=[f"{name}=={installed(name).partition('+')[0]}" for name in REQUIREMENTS],
        )
    return model.model_uri


def _list_files(client: "MlflowClient", source: str) -> str:
    """List the digests of a logged model's files as the store holds them."""
    import mlflow

    location = client.get_logged_model(source.rpartition("/")[2]).artifact_location
    with tempfile.TemporaryDirectory() as scratch:
        address = urlparse(location)
        if address.scheme in ("file", ""):
            return list_digests(Path(url2pathname(address.path)))
        return list_digests(Path(mlflow.artifacts.download_artifacts(location, dst_path=scratch)))


def _version(client: "MlflowClient", name: str, source: str, run_id: str, tags: dict[str, str]) -> int:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return int(client.create_model_version(name, source, run_id, tags=tags).version)


def _commit(root: Path) -> dict[str, str]:
    """The checkout's commit and whether it had changes, as tags; none outside a git checkout.

    What the run itself writes is no change: dvc.lock and the outputs.
    """
    written = [f":(exclude){path}" for path in ("dvc.lock", *read_outputs(root))]
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _git(root, "status", "--porcelain", "--", ".", *written)
        return {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}
    except (OSError, subprocess.CalledProcessError):
        return {}


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _headlines(metrics: Mapping[str, Any]) -> dict[str, str]:
    """F1 and gain of each split, as tags that a listing shows."""
    found = {}
    for split, rows in metrics.items():
        if "student" in rows:
            found[f"f1.{split}"] = f"{100 * rows['student']['f1']:.2f}"
        if "gain" in rows:
            found[f"gain.{split}"] = f"{100 * rows['gain']['f1']:+.2f}"
    return found


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, one in value.items():
        found |= _flat(one, f"{prefix}{key}.") if isinstance(one, Mapping) else {prefix + str(key): one}
    return found


def _figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Flat numbers under names that MLflow accepts: relation labels such as /per/loc/birth hold slashes."""
    return {re.sub(r"[^\w. -]+", "_", key): float(one) for key, one in _flat(metrics).items()}
