"""A project with an empty registry, a fake chat server, and the parameters to ask it with."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cotpd.llm.params import LlmParams
from cotpd.llm.transports import chat_client
from tests.chat_server import FakeServer, build_params


@pytest.fixture
def registry_folder(tmp_path: Path, empty_registry: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with an empty registry in it, as the current one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_registry, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that answers in capitals, after the faults that a test lines up."""
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def llm_params(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LlmParams:
    """Parameters for the fake server, with pauses too short to notice."""
    monkeypatch.setattr(chat_client, "_FIRST_PAUSE", 0.01)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    return build_params(server, tmp_path)
