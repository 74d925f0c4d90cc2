"""What one prediction from a cold start imports: torch and little else."""

import os
import shutil
import subprocess
import sys

import pytest

from cotpd.config import Params
from cotpd.pipeline.registration import register_student
from tests.trained_students import TEXT

SCRIPT = """
import sys
from cotpd.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print(*sys.modules, file=sys.stderr)
"""
NEVER = (
    "transformers",
    "torch._dynamo",
    "torch._inductor",
    "torch.distributed.tensor",
    "torch.onnx",
    "sympy",
    "prefect",
    "dvc",
    "great_expectations",
    "openai",
    "onnxruntime",
    "accelerate",
    "huggingface_hub",
    "matplotlib",
    "spacy",
)
WITHOUT_REGISTRY = (*NEVER, "mlflow", "pandas", "scipy", "sqlalchemy", "pyarrow", "jinja2")


def predict_in_new_process(folder, *arguments):
    """Return what `cotpd predict` prints, and the modules that it has imported."""
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT, "predict", *arguments, TEXT],
        cwd=folder,
        env=environment
        | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "COTPD_CACHE": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return process.stdout, set(process.stderr.split())


def list_imported(modules, packages):
    return sorted(name for name in packages if name in modules)


@pytest.mark.parametrize("task", ["ner", "sentiment"])
def test_a_student_in_a_folder_predicts_without_transformers_or_a_compiler(task, students, tmp_path):
    output, modules = predict_in_new_process(tmp_path, "--model", str(students[task]))

    assert TEXT[-4:] in output
    assert "torch" in modules
    assert list_imported(modules, WITHOUT_REGISTRY) == []


def test_a_registered_student_adds_the_registry_alone_and_only_once(students, registry_folder, root):
    shutil.copy(root / "params.yaml", registry_folder)
    params = Params.model_validate({"task": "ner", "data": {"path": "sample"}})
    metrics = {"test": {"student": {"f1": 0.5}, "gain": {"f1": 0.125, "low": 0.0, "high": 0.25}}}
    register_student(params, students["ner"], metrics, root=registry_folder)

    first, modules = predict_in_new_process(registry_folder)
    second, modules_again = predict_in_new_process(registry_folder)

    assert "PER" in first
    assert first == second
    assert "mlflow" in modules
    assert list_imported(modules, NEVER) == []
    assert list_imported(modules_again, WITHOUT_REGISTRY) == []


def test_a_student_without_torch_imports_no_torch(exports, tmp_path):
    output, modules = predict_in_new_process(tmp_path, "--model", str(exports["ner"]), "--backend", "onnx")

    assert "PER" in output
    assert list_imported(modules, (*WITHOUT_REGISTRY, "torch")) == ["onnxruntime"]
