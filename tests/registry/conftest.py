"""A project with an empty registry, and parameters of both tasks."""

import shutil

import pytest

from cotpd.config import Params
from tests.registry.move_helpers import NAME, open_client


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


@pytest.fixture
def client(project):
    """A registry with four versions, and no record."""
    client = open_client(project)
    client.create_registered_model(NAME)
    for _ in range(4):
        client.create_model_version(NAME, project.as_uri())
    return client
