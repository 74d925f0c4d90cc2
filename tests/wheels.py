"""The wheel of this tree, built without a network."""

import shutil
import subprocess
import sys
from pathlib import Path

BUILT_FROM = (
    *("cotpd", "steps", "flows", "expectations", "registry", ".dvc/config", ".dvc/plots"),
    *("dvc.yaml", "prefect.yaml", "prefect.toml", ".gitignore", ".dvcignore"),
    *("pyproject.toml", "setup.py", "README.md", "LICENSE"),
)
_BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"


def build_wheel(root: Path, tree: Path) -> Path:
    """Build the wheel from a copy of what it is made of, and return its path.

    Args:
        root: The repository.
        tree: An empty folder for the copy.
    """
    for name in BUILT_FROM:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        if (root / name).is_dir():
            shutil.copytree(root / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(root / name, tree / name)
    subprocess.run([sys.executable, "-c", _BUILD], cwd=tree, check=True, capture_output=True, timeout=300)
    (built,) = (tree / "dist").glob("*.whl")
    return built
