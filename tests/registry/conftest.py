"""A project with an empty registry, and parameters of both tasks."""

import shutil

import pytest

from cotpd.config import Params


@pytest.fixture
def project(tmp_path, empty_registry, monkeypatch):
    """A project's folder with an empty registry in it, as the current one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_registry, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def params():
    return {task: Params(task=task) for task in ("ner", "re")}
