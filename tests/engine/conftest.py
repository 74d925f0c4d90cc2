"""One cluster for all tests of the engine: its start takes seconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cotpd.engine.params import ScaleParams
from cotpd.llm.params import LlmParams
from tests.chat_server import FakeServer, build_params
from tests.engine.ray_nodes import start_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray")
    with start_cluster() as cluster:
        yield cluster


@pytest.fixture
def scale(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> ScaleParams:
    """The engine on that cluster."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return ScaleParams(engine="ray", address=cluster.address, shard_seconds=0.5)


@pytest.fixture
def params(server: FakeServer, tmp_path: Path) -> LlmParams:
    """Ask the fake server, with a ledger in the test's folder."""
    return build_params(server, tmp_path)
