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

import pytest

from tests.builders import build_student

BUILT_FROM = ("cotpd", "expectations", "pyproject.toml", "setup.py", "README.md", "LICENSE")
BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, root: Path) -> zipfile.ZipFile:
    """A wheel built from a copy of the tree, without a network."""
    tree = tmp_path_factory.mktemp("tree")
    for name in BUILT_FROM:
        if (root / name).is_dir():
            shutil.copytree(root / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(root / name, tree / name)
    subprocess.run([sys.executable, "-c", BUILD], cwd=tree, check=True, capture_output=True, timeout=300)
    (built,) = (tree / "dist").glob("*.whl")
    return zipfile.ZipFile(built)


@pytest.mark.parametrize(
    ("folder", "pattern", "target"),
    [
        ("expectations", "*.json", "cotpd/suites"),
        ("cotpd/prompts", "*/*.txt", "cotpd/prompts"),
        ("cotpd/presets", "*.yaml", "cotpd/presets"),
    ],
)
def test_suites_prompts_and_presets_are_in_the_wheel_to_the_byte(wheel, root, folder, pattern, target):
    sources = {str(path.relative_to(root / folder)): path.read_bytes() for path in (root / folder).glob(pattern)}

    packed = {name: wheel.read(f"{target}/{name}") for name in sources}

    assert sources
    assert packed == sources


def test_every_module_and_data_file_of_the_package_is_in_the_wheel(wheel, root):
    files = [path for path in (root / "cotpd").rglob("*.*") if path.is_file() and "__pycache__" not in path.parts]

    packed = set(wheel.namelist())

    assert {str(path.relative_to(root)) for path in files} <= packed


@pytest.fixture
def programs(wheel: zipfile.ZipFile, tmp_path: Path) -> Iterator[Path]:
    """The folder of programs of a clean environment that holds `cotpd[torch]`; removed afterwards, nearly 1 GB."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--no-compile"]
    requirement = f"cotpd[torch] @ file://{wheel.filename}"
    installed = subprocess.run([*pip, requirement], capture_output=True, text=True, check=False, timeout=600)
    if "connection broken by" in installed.stderr:
        pytest.skip("no package registry answers")
    assert installed.returncode == 0, installed.stderr
    yield folder / "bin"
    shutil.rmtree(folder)


@pytest.mark.slow
def test_the_base_with_torch_predicts_with_a_student_in_a_folder(programs, encoder, tmp_path):
    build_student(encoder).save(tmp_path / "student")
    predict = [programs / "cotpd", "predict", "--model", "student", "--json", "Ada lives in Rome"]
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    completed = subprocess.run(
        predict, cwd=tmp_path, env=outside, capture_output=True, text=True, check=False, timeout=120
    )

    assert completed.returncode == 0, completed.stderr
    assert json.loads(completed.stdout)["text"] == "Ada lives in Rome"
    assert list_packages(programs, ("mlflow", "openai", "dvc", "pandas", "sklearn")) == []


def list_packages(programs: Path, names: tuple[str, ...]) -> list[str]:
    """Return those of some packages that an environment can import."""
    script = "import sys; from importlib.util import find_spec; print(*filter(find_spec, sys.argv[1:]))"
    return subprocess.check_output([programs / "python", "-c", script, *names], text=True).split()
