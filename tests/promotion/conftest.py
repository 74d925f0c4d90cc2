"""A project with a registry and held-out posts, and students of both tasks that are good, or have learnt nothing."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from tests.builders import build_student
from tests.promotion.gate_project import move_to, register, write_project


@pytest.fixture
def project(tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with an empty registry and held-out posts in it, as the current one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    shutil.copy(empty_registry, folder / "mlflow.db")
    write_project(folder)
    return folder


@pytest.fixture
def add_version(project: Path, tmp_path: Path) -> Callable[..., int]:
    """Register a student, given by its folder, as the challenger; returns the version's number."""
    return lambda student, **changes: register(project, student, tmp_path / "evidence", **changes)


@pytest.fixture(scope="session")
def untrained(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a student of the same types that has learnt nothing."""
    folder = tmp_path_factory.mktemp("untrained") / "student"
    build_student(encoder, types=("ORG", "PER")).save(folder)
    return folder


@pytest.fixture
def client(project: Path) -> MlflowClient:
    return connect(RegisterParams(), project)


@pytest.fixture
def champion(add_version: Callable[..., int], client: MlflowClient, students: Mapping[str, Path]) -> None:
    """A good version 1, which is champion."""
    add_version(students["ner"])
    move_to(client, 1)
