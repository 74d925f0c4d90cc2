"""The packed model's code: MLflow runs this file when a version is loaded or served.

It is executed on its own, with the package that was packed beside the weights on the path, so it imports nothing
but that package, and late, after MLflow has put it there.
"""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import yaml

HERE = Path(__file__).parent
IGNORED = "registered_model_meta"  # of MLflow


def require_registered_files() -> None:
    """Compare the version's files with the digests in the registry, before any of its package is imported.

    It repeats cotpd.registry.version_digests, which is one of the files that are not believed yet.
    """
    run = yaml.safe_load((HERE / "MLmodel").read_text("utf-8")).get("run_id")
    versions = mlflow.MlflowClient().search_model_versions(f"run_id = '{run}'") if run else []
    listed = next((version.tags["sha256.files"] for version in versions if "sha256.files" in version.tags), None)
    if listed is None:
        return  # it is being registered, or of another registry
    files = {path.relative_to(HERE).as_posix(): path for path in HERE.rglob("*") if path.is_file()}
    present = {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in files.items()
        if "__pycache__" not in Path(name).parts and name != IGNORED
    }
    changed = sorted(dict(json.loads(listed).items() ^ present.items()))
    if changed:
        raise mlflow.exceptions.MlflowException(f"{HERE / changed[0]} is not as it was registered")


if (HERE / "MLmodel").is_file():
    # Python's caches beside the code are neither read nor written, for they are no part of the version.
    sys.dont_write_bytecode, sys.pycache_prefix = True, str(HERE / "no-caches")
    if os.environ.get("MLFLOW_TRACKING_URI"):  # else MLflow would make a store in the current folder
        require_registered_files()


class Served(mlflow.pyfunc.PythonModel):
    """A student behind MLflow's interface: one row in, one record out.

    Named entities: column ``text``; ``{"entities": [{"start", "end", "type", "text", "score"}]}``, in characters.
    Relations: columns ``text``, ``head`` and ``tail``, the latter two as they stand in the text;
    ``{"label", "score"}``.
    """

    def load_context(self, context: Any) -> None:
        """Load the weights, once per process."""
        from cotpd.student import Student

        self.student = Student.from_pretrained(context.artifacts["student"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> list[dict]:
        """Predict each row; a row that cannot be read is refused with its number (HTTP 400).

        The model's signature names no inputs, or MLflow would turn null, numbers and objects into text before they
        come here; without one it hands on whatever form the request had.
        """
        from cotpd.errors import CotpdError
        from cotpd.student.prediction_input import predict_rows, rows_of

        try:
            return predict_rows(self.student, rows_of(model_input))
        except CotpdError as error:
            raise mlflow.exceptions.MlflowException.invalid_parameter_value(str(error)) from None


mlflow.models.set_model(Served())
