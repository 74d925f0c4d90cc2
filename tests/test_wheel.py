"""A wheel holds what the package reads at run time, so that an installed copy needs no checkout."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

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
