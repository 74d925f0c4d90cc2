"""A version's requirements are all that it needs, and nothing that it does not need."""

import ast
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from cotpd.pipeline.registration import register_student
from cotpd.registry.model_address import find_student_folder
from tests.trained_students import TEXT

PREDICT = """
import json, sys
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = model.predict(pandas.DataFrame([{"text": sys.argv[2]}]))
files = [module.__file__ for name, module in sys.modules.items() if name.partition(".")[0] == "cotpd"]
print(json.dumps({"rows": rows, "files": [file for file in files if file]}))
"""
SERVED = "code/cotpd/registry/served_model.py"  # MLflow runs a copy of it, which is no module


@pytest.fixture
def version(project, params, students) -> Path:
    """The folder of a registered version."""
    register_student(params["ner"], students["ner"], {}, root=project)
    return find_student_folder("models:/cotpd-ner/1", params["ner"].register_, project).parents[1]


def predict(python, version, project, *prefix):
    """Predict in a process that sees the version and no checkout; return the rows and the packed modules it ran."""
    environment = {"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": f"sqlite:///{project}/mlflow.db"}
    command = [*prefix, str(python), "-c", PREDICT, str(version), TEXT]
    process = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert process.returncode == 0, process.stderr
    answer = json.loads(process.stdout.splitlines()[-1])
    return answer["rows"], [Path(file) for file in answer["files"]]


def list_requirements(version: Path) -> dict[str, str]:
    """Return the version of each requirement by its name."""
    lines = (version / "requirements.txt").read_text("utf-8").split()
    return dict(line.split("==") for line in lines)


def list_imports(file: Path) -> set[str]:
    """Return the packages that a module imports when it is imported itself, by the first part of their name."""
    names: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names} - {"cotpd", ""} - sys.stdlib_module_names


def test_each_package_that_the_code_on_the_way_imports_is_required_and_no_other(version, project):
    _, files = predict(sys.executable, version, project)
    names = set().union(*map(list_imports, [*files, version / SERVED]))
    imported = {"pyyaml" if name == "yaml" else name for name in names}

    assert all(file.is_relative_to(version / "code") for file in files)
    late = {"transformers"}  # imported within functions
    assert imported | late == set(list_requirements(version))


@pytest.fixture
def clean_python(version, tmp_path):
    """A Python whose environment holds the requirements of the version alone; removed afterwards, above 1 GB."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--no-compile", "-q"]
    command = [*pip, "-r", str(version / "requirements.txt")]
    installed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if "connection broken by" in installed.stderr:
        pytest.skip("no package registry answers")
    assert installed.returncode == 0, installed.stderr
    yield folder / "bin/python"
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_version_predicts_in_a_clean_environment_without_checkout_and_network(version, project, clean_python):
    without_network = ["unshare", "--net"]
    if subprocess.run([*without_network, "true"], capture_output=True, check=False).returncode:
        pytest.skip("only root can take the network away from a process")

    rows, files = predict(clean_python, version, project, *without_network)

    assert [(entity["text"], entity["type"]) for entity in rows[0]["entities"]] == [
        ("Ada", "PER"),
        ("Acme", "ORG"),
    ]
    assert all(file.is_relative_to(version) for file in files)
    assert list_requirements(version).keys() >= {"mlflow", "torch"}
