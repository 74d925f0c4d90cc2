"""The packed model's code: MLflow runs this file when a version is loaded or served. No module imports it.

It is executed on its own, with the package that was packed beside the weights on the path, so it imports nothing
but that package, and late, after MLflow has put it there. That makes it the one module of cotpd.registry that may
import the student, which stands above it.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import yaml
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel

HERE = Path(__file__).parent
WRITTEN_BY_MLFLOW = "registered_model_meta"  # name and version, noted when it loads a folder


@contextmanager
def leave_out_packed_code() -> Iterator[None]:
    """Take the version's own folders off the path: a file in them could pass for a module that MLflow needs."""
    path = list(sys.path)
    sys.path[:] = [folder for folder in path if not Path(folder).resolve().is_relative_to(HERE.resolve())]
    try:
        yield
    finally:
        sys.path[:] = path


def is_part(path: Path) -> bool:
    """Whether a path is a file, or anything else that is no folder."""
    return path.is_symlink() or not path.is_dir()


def describe_file(path: Path) -> str:
    """Return the sha256 of a file, or what it is instead of one, as the registry has it."""
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"


def require_registered_files() -> None:
    """Compare the version's files with the digests in the registry, before any of its package is imported.

    It repeats cotpd.registry.version_digests and cotpd.files.compute_sha256: importing them would run the packed
    package before it is checked, and a changed file of it could approve itself.

    Raises:
        MlflowException: A file was changed, added or removed; the message names it.
    """
    run_id = yaml.safe_load((HERE / "MLmodel").read_text("utf-8")).get("run_id")
    with leave_out_packed_code():
        versions = mlflow.MlflowClient().search_model_versions(f"run_id = '{run_id}'") if run_id else []
    tags = [version.tags["sha256.files"] for version in versions if "sha256.files" in version.tags]
    if not tags:
        return  # it is being registered at this moment, or belongs to another registry

    files = {path.relative_to(HERE).as_posix(): path for path in HERE.rglob("*")}
    present = {
        name: describe_file(path)
        for name, path in files.items()
        if "__pycache__" not in Path(name).parts and name != WRITTEN_BY_MLFLOW and is_part(path)
    }
    changed = sorted(dict(json.loads(tags[0]).items() ^ present.items()))
    if changed:
        raise MlflowException(f"{HERE / changed[0]} is not as it was registered")


def forget_installed_package() -> None:
    """Let the packed package be imported where MLflow has loaded the plugin of another, installed cotpd.

    A process that has loaded the student itself keeps its own: it would have every class of the package twice.
    """
    if "cotpd.student" not in sys.modules:
        for name in [name for name in sys.modules if name.partition(".")[0] == "cotpd"]:
            del sys.modules[name]


if (HERE / "MLmodel").is_file():
    # Python's caches beside the code are neither read nor written, for they are no part of the version.
    sys.dont_write_bytecode, sys.pycache_prefix = True, str(HERE / "no-caches")
    if os.environ.get("MLFLOW_TRACKING_URI"):  # else MLflow would make a store in the current folder
        require_registered_files()
    forget_installed_package()


class ServedStudent(PythonModel):
    """A student behind MLflow's interface: a row in, a record out.

    Named entities: column ``text``; ``{"entities": [{"start", "end", "type", "text", "score"}]}``, in characters.
    Relations: columns ``text``, ``head`` and ``tail``, the latter two as they stand in the text;
    ``{"label", "score"}``. Labels of posts: column ``text``; ``{"label", "score"}``, both null for a blank text.
    """

    def load_context(self, context: Any) -> None:
        """Load the weights, once per process."""
        from cotpd.student import Student  # noqa: PLC0415  see the head

        self.student = Student.from_pretrained(context.artifacts["student"])

    def predict(
        self,
        context: Any,  # noqa: ARG002  MLflow passes it
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002  MLflow passes it
    ) -> list[dict[str, Any]]:
        """Predict each row; a row that cannot be read is refused with its number (HTTP 400).

        The model's signature names no inputs, or MLflow would turn null, numbers and objects into text before they
        come here; without one it hands on whatever form the request had.
        """
        from cotpd.errors import CotpdError  # noqa: PLC0415  see the head
        from cotpd.student.prediction_input import list_rows, predict_rows  # noqa: PLC0415  see the head

        try:
            return predict_rows(self.student, list_rows(model_input))
        except CotpdError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None


mlflow.models.set_model(ServedStudent())
