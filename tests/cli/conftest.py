"""A project with an empty registry."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def registry_folder(tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with an empty registry in it, as the current one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_registry, tmp_path / "mlflow.db")
    return tmp_path
