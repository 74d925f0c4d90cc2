"""One MLflow run per registered student: parameters, scores, digests of the data, the report, and the model.

The package travels inside the model (models-from-code, no pickle), so that a version keeps predicting as it did
when it was registered, whatever the checkout does afterwards. It costs some 300 KB a version beside the weights.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as read_installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from cotpd.errors import ModelError
from cotpd.files import compute_sha256
from cotpd.outputs import read_outputs
from cotpd.registry.aliases import set_alias
from cotpd.registry.leftovers import clear_leftovers, open_registration_run
from cotpd.registry.params import RegisterParams
from cotpd.registry.prompt_versions import register_prompts
from cotpd.registry.tracking_store import connect, explain_errors, get_or_create_experiment, use_store
from cotpd.registry.training_curves import adopt_runs
from cotpd.registry.version_digests import FILES, format_digests

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parents[1]
STUDENT = "student"  # the artifact's key in a packed model
REQUIREMENTS = ("mlflow", "numpy", "pandas", "pydantic", "pyyaml", "regex", "safetensors", "torch", "transformers")


@dataclass(frozen=True)
class Interface:
    """What a served model takes and returns for each row, as MLflow shows it.

    Attributes:
        example_row: The columns that it takes, with a value for each.
        output_columns: MLflow's type of each column of a prediction.
        output_list: The column that holds a list of predictions; None: one prediction a row.
    """

    example_row: Mapping[str, str]
    output_columns: Mapping[str, str]
    output_list: str | None = None


@dataclass(frozen=True)
class Origin:
    """What a version was made from; MLflow keeps it with the version's run.

    Attributes:
        params: All parameters by section; logged flattened.
        metrics: Scores by split and model; logged flattened.
        evaluation: Folder with report and plots; logged as artifacts.
        tables: Prepared tables whose sha256 is kept with the run and the version.
        trainings: Fingerprints of trainings by model; their runs are put below this run and named in its tags.
        prompts: The text of each prompt file by its name in MLflow's prompt registry.
        tags: Further tags of the run and the version.
    """

    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    evaluation: Path | None = None
    tables: Sequence[Path] = ()
    trainings: Mapping[str, str] = field(default_factory=dict)
    prompts: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Registered:
    """Where a model went in the registry."""

    name: str
    version: int
    alias: str
    uri: str
    run_id: str


def register_model(
    folder: Path, name: str, interface: Interface, origin: Origin, store: RegisterParams, root: Path = Path()
) -> Registered:
    """Log a run, register a model's folder as a new version, and give it the alias of ``store``.

    Args:
        folder: The trained student's folder.
        name: The registered model's name.
        interface: What the model takes and returns.
        origin: What it was made from.
        store: MLflow's store and experiment, and the alias.
        root: The project's folder, where a SQLite store lies.

    Raises:
        ModelError: The folder is missing, or MLflow refuses.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such folder", "Train the student first: dvc repro train.")
    client = connect(store, root, create=True)

    remedy = "See the message; the tracking server must be reachable and writable."
    with explain_errors(f"registering {name}", remedy):
        experiment = get_or_create_experiment(client, store.experiment)
        clear_leftovers(client, experiment)
        with use_store(client), open_registration_run(client, experiment, name) as run:
            tags = _log_origin(client, experiment, run.info.run_id, origin, root)
            source = _log_model(folder, interface)
            tags |= _format_headlines(origin.metrics) | {FILES: _format_logged_digests(client, source)}
            # Inside the run: if this process is killed before, the next registration clears the run.
            number = _create_version(client, name, source, run.info.run_id, tags)

    set_alias(client, name, store.alias, number)
    return Registered(name, number, store.alias, f"models:/{name}@{store.alias}", run.info.run_id)


def build_signature(interface: Interface) -> "ModelSignature":
    """Return MLflow's description of a prediction; `predict` in served_model checks its input itself."""
    from mlflow.models import ModelSignature  # noqa: PLC0415  after connect() has switched off its telemetry
    from mlflow.types import ColSpec, DataType, Schema  # noqa: PLC0415  after connect() has switched off its telemetry
    from mlflow.types.schema import Array, Object, Property  # noqa: PLC0415  after connect() has switched off its telemetry

    outputs = {name: DataType[kind] for name, kind in interface.output_columns.items()}
    if interface.output_list is None:
        return ModelSignature(None, Schema([ColSpec(kind, name) for name, kind in outputs.items()]))
    record = Object([Property(name, kind) for name, kind in outputs.items()])
    return ModelSignature(None, Schema([ColSpec(Array(record), interface.output_list)]))


def _log_origin(
    client: "MlflowClient", experiment: str, run_id: str, origin: Origin, root: Path
) -> dict[str, str]:
    """Log to the active run what a version is made from; return the run's tags, which the version gets too."""
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

    tags = {f"sha256.{path.name}": compute_sha256(path) for path in origin.tables}
    tags |= _describe_commit(root) | dict(origin.tags)
    tags |= adopt_runs(client, experiment, run_id, origin.trainings)
    tags |= register_prompts(client, origin.prompts)

    mlflow.set_tags(tags)
    mlflow.log_params(_flatten(origin.params))
    mlflow.log_metrics(_flatten_metrics(origin.metrics))
    if origin.evaluation is not None:
        mlflow.log_artifacts(str(origin.evaluation), "evaluation")
    return tags


def _log_model(student: Path, interface: Interface) -> str:
    """Log the weights and a copy of this package to the active run; return the model's address in MLflow."""
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry
    import pandas as pd  # noqa: PLC0415  comes with MLflow

    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "cotpd"
        shutil.copytree(PACKAGE, code, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        model = mlflow.pyfunc.log_model(
            name=STUDENT,
            python_model=str(code / "registry" / "served_model.py"),
            artifacts={STUDENT: str(student.resolve())},
            code_paths=[str(code)],
            signature=build_signature(interface),
            input_example=pd.DataFrame([dict(interface.example_row)]),
            pip_requirements=[_pin_requirement(name) for name in REQUIREMENTS],
        )
    return str(model.model_uri)


def _pin_requirement(name: str) -> str:
    """Return NAME==VERSION as installed, without the name of a build such as +cpu, which PyPI does not have."""
    return f"{name}=={read_installed_version(name).partition('+')[0]}"


def _format_logged_digests(client: "MlflowClient", source: str) -> str:
    """Return the tag with the digests of a logged model's files as the store holds them."""
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry

    location = client.get_logged_model(source.rpartition("/")[2]).artifact_location
    with tempfile.TemporaryDirectory() as scratch:
        address = urlparse(location)
        if address.scheme in ("file", ""):
            return format_digests(Path(url2pathname(address.path)))
        return format_digests(Path(mlflow.artifacts.download_artifacts(location, dst_path=scratch)))


def _create_version(client: "MlflowClient", name: str, source: str, run_id: str, tags: dict[str, str]) -> int:
    """Create a version, and the registered model if it is its first; return the version's number."""
    from mlflow.exceptions import MlflowException  # noqa: PLC0415  after connect() has switched off its telemetry

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    return int(client.create_model_version(name, source, run_id, tags=tags).version)


def _describe_commit(root: Path) -> dict[str, str]:
    """Return the checkout's commit and whether it had changes, as tags; none outside a git checkout.

    The pipeline's own outputs and dvc.lock, which every run writes, are no change.
    """
    written = [f":(exclude){path}" for path in ("dvc.lock", *read_outputs(root))]
    try:
        commit = _run_git(root, "rev-parse", "HEAD")
        changes = _run_git(root, "status", "--porcelain", "--", ".", *written)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"git.commit": commit, "git.dirty": str(bool(changes)).lower()}


def _run_git(root: Path, *arguments: str) -> str:
    process = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return process.stdout.strip()


def _format_headlines(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Return F1 and gain of each split in percent, as tags that a listing shows."""
    tags = {}
    for split, rows in metrics.items():
        if "student" in rows:
            tags[f"f1.{split}"] = f"{100 * rows['student']['f1']:.2f}"
        if "gain" in rows:
            tags[f"gain.{split}"] = f"{100 * rows['gain']['f1']:+.2f}"
    return tags


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values under dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{prefix}{key}"
        flat |= _flatten(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat


def _flatten_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return nested figures under dotted names that MLflow accepts.

    Other characters, such as the slashes in the relation label /per/loc/birth, become underscores.
    """
    return {re.sub(r"[^\w. -]+", "_", key): float(value) for key, value in _flatten(metrics).items()}
