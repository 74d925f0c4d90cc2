"""A clean checkout of this tree on a cut of the sample, run once through for all end-to-end tests."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cotpd.cli.params_editor import write_values

Run = Callable[..., str]


@pytest.fixture(scope="session")
def checkout(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the tracked files alone, as a repository of their own, with parameters for a short run."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True, timeout=60)
    short = {"data": {"limit": 40}, "baseline": {"epochs": 1}, "train": {"epochs": 1}}
    write_values(folder / "params.yaml", short)
    return folder


@pytest.fixture(scope="session")
def run(checkout: Path) -> Run:
    """Run a command in the checkout and return its output.

    ``ok`` says whether it must succeed; without ``key`` there is no API key in the environment.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "COLUMNS": "200",
        "HF_HUB_OFFLINE": "1",
    }
    environment.pop("OPENAI_API_KEY", None)

    def call(*command: str, ok: bool = True, key: str = "") -> str:
        variables = environment | ({"OPENAI_API_KEY": key} if key else {})
        process = subprocess.run(
            command, cwd=checkout, env=variables, capture_output=True, text=True, check=False, timeout=800
        )
        output = process.stdout + process.stderr
        assert (process.returncode == 0) is ok, (
            f"{' '.join(command)} ended with {process.returncode}:\n{output[-6000:]}"
        )
        return output

    return call


@pytest.fixture(scope="session")
def reproduced(run: Run) -> str:
    """Return the output of `dvc repro`, which runs once for the session."""
    return run("dvc", "repro")
