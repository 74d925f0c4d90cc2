"""The services, once a session, and the environment of a machine that uses them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared_state.stack import Stack, run_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The services of docker-compose.yaml, set up."""
    with run_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def shared(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The services, named by this process's environment as by the environment file; the cache is empty."""
    for name, value in stack.variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    return stack
