"""The package of a version: the weights, the code that reads them, its requirements and an example.

The code travels inside the model (models-from-code, no pickle), so that a version keeps predicting as it did when
it was registered, whatever the checkout does afterwards. It costs some 300 KB a version beside the weights.
"""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as read_installed_version
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.registry.model_card import CARD

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parents[1]
STUDENT = "student"  # the artifact's key in a packed model
REQUIREMENTS = (
    "filelock",
    "mlflow",
    "numpy",
    "pandas",
    "pydantic",
    "pyyaml",
    "regex",
    "rich",
    "safetensors",
    "torch",
    "transformers",
)


@dataclass(frozen=True)
class Interface:
    """The input columns and the output of a served model, row by row, as MLflow shows them.

    Attributes:
        example_row: The columns that it takes, with a value for each.
        output_columns: MLflow's type of each column of a prediction.
        output_list: The column that holds a list of predictions; None: one prediction a row.
    """

    example_row: Mapping[str, str]
    output_columns: Mapping[str, str]
    output_list: str | None = None


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


def log_model(student: Path, interface: Interface, card: str = "", evidence: Sequence[Path] = ()) -> str:
    """Log the weights, a copy of this package and the model card to the active run; return the model's address.

    Args:
        student: Folder of the weights.
        interface: What the model takes and returns.
        card: The model card; "" for none.
        evidence: Further files of the version.
    """
    import mlflow  # noqa: PLC0415  after connect() has switched off its telemetry
    import pandas as pd  # noqa: PLC0415  comes with MLflow

    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "cotpd"
        shutil.copytree(PACKAGE, code, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        model = mlflow.pyfunc.log_model(
            name=STUDENT,
            python_model=str(code / "registry" / "served_model.py"),
            artifacts={STUDENT: str(student.resolve())} | {file.name: str(file.resolve()) for file in evidence},
            code_paths=[str(code)],
            signature=build_signature(interface),
            input_example=pd.DataFrame([dict(interface.example_row)]),
            pip_requirements=[_pin_requirement(name) for name in REQUIREMENTS],
        )
        if card:
            (Path(folder) / CARD).write_text(card, "utf-8")
            mlflow.log_artifact(str(Path(folder) / CARD))
            mlflow.MlflowClient().log_model_artifact(model.model_id, str(Path(folder) / CARD))
    return str(model.model_uri)


def _pin_requirement(name: str) -> str:
    """Return NAME==VERSION as installed, without the name of a build such as +cpu, which PyPI does not have."""
    return f"{name}=={read_installed_version(name).partition('+')[0]}"
