"""A wheel holds what the package reads at run time, so that an installed copy needs no checkout."""

import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cotpd.inference.export_record import name_export_folder
from tests.builders import build_student
from tests.wheels import build_wheel

SHIPPED = (
    "dvc.yaml",
    "prefect.yaml",
    "prefect.toml",
    "registry/gate.yaml",
    ".gitignore",
    ".dvcignore",
    ".dvc/config",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> zipfile.ZipFile:
    """A wheel built from a copy of the tree, without a network."""
    return zipfile.ZipFile(build_wheel(root, tmp_path_factory.mktemp("tree")))


@pytest.mark.parametrize(
    ("folder", "pattern", "target"),
    [
        ("expectations", "*.json", "cotpd/suites"),
        ("cotpd/prompts", "*/*.txt", "cotpd/prompts"),
        ("cotpd/presets", "*.yaml", "cotpd/presets"),
        ("steps", "*.py", "steps"),
        ("flows", "*.py", "flows"),
        (".dvc/plots", "*.json", "cotpd/shipped/.dvc/plots"),
    ],
)
def test_suites_prompts_presets_and_steps_are_in_the_wheel_to_the_byte(wheel, root, folder, pattern, target):
    sources = {str(path.relative_to(root / folder)): path.read_bytes() for path in (root / folder).glob(pattern)}

    packed = {name: wheel.read(f"{target}/{name}") for name in sources}

    assert sources
    assert packed == sources


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_of_which_a_project_is_made_is_in_the_wheel_to_the_byte(wheel, root, name):
    packed = wheel.read(f"cotpd/shipped/{name}")

    assert packed == (root / name).read_bytes()


def test_every_module_and_data_file_of_the_package_is_in_the_wheel(wheel, root):
    files = [path for path in (root / "cotpd").rglob("*.*") if path.is_file() and "__pycache__" not in path.parts]

    packed = set(wheel.namelist())

    assert {str(path.relative_to(root)) for path in files} <= packed


@pytest.fixture
def programs(wheel: zipfile.ZipFile, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of programs of a clean environment that holds the package and one extra; removed afterwards."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--no-compile"]
    requirement = f"cotpd[{request.param}] @ file://{wheel.filename}"
    installed = subprocess.run([*pip, requirement], capture_output=True, text=True, check=False, timeout=600)
    if "connection broken by" in installed.stderr:
        pytest.skip("no package registry answers")
    assert installed.returncode == 0, installed.stderr
    yield folder / "bin"
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("programs", ["torch"], indirect=True)
def test_the_base_with_torch_predicts_with_a_student_in_a_folder(programs, encoder, tmp_path):
    build_student(encoder).save(tmp_path / "student")

    prediction = predict_outside(programs, tmp_path)

    assert prediction["text"] == "Ada lives in Rome"
    assert list_packages(programs, ("mlflow", "openai", "dvc", "pandas", "sklearn")) == []


@pytest.mark.slow
@pytest.mark.parametrize("programs", ["onnx"], indirect=True)
def test_the_base_with_onnx_predicts_with_an_export_and_is_below_400_mb(programs, exports, tmp_path):
    for folder in (exports["ner"], name_export_folder(exports["ner"])):
        shutil.copytree(folder, tmp_path / folder.name.replace(exports["ner"].name, "student"))

    prediction = predict_outside(programs, tmp_path)

    assert prediction["text"] == "Ada lives in Rome"
    assert list_packages(programs, ("torch", "transformers", "onnx", "mlflow")) == []
    assert measure_size(programs.parent) < 400 * 2**20


def predict_outside(programs: Path, folder: Path) -> dict[str, Any]:
    """Return what an environment of its own predicts for a sentence, without this checkout."""
    predict = [programs / "cotpd", "predict", "--model", "student", "--json", "Ada lives in Rome"]
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    completed = subprocess.run(
        predict, cwd=folder, env=outside, capture_output=True, text=True, check=False, timeout=300
    )
    assert completed.returncode == 0, completed.stderr
    prediction: dict[str, Any] = json.loads(completed.stdout)
    return prediction


def list_packages(programs: Path, names: tuple[str, ...]) -> list[str]:
    """Return those of some packages that an environment can import."""
    script = "import sys; from importlib.util import find_spec; print(*filter(find_spec, sys.argv[1:]))"
    return subprocess.check_output([programs / "python", "-c", script, *names], text=True).split()


def measure_size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*"))
