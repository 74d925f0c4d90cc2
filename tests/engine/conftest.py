"""One cluster for all tests of the engine: its start takes seconds."""

from collections.abc import Iterator
from typing import Any

import pytest

from cotpd.engine.params import ScaleParams
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
