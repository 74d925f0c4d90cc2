"""Shared by every test: no telemetry, no network unless a test asks for it, and where the lent data is."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cotpd.environment import silence_libraries
from cotpd.llm.params import LlmParams
from cotpd.llm.transports import chat_client
from cotpd.registry import store_answers
from cotpd.registry.params import RegisterParams
from cotpd.registry.tracking_store import connect
from tests.builders import format_jsonl, write_encoder
from tests.chat_server import FakeServer, build_params
from tests.postgres import run_postgres
from tests.trained_students import export_students, train_students

silence_libraries()
ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option under which threads change places far more often than they would by themselves."""
    parser.addoption(
        "--switch-interval", type=float, metavar="SECONDS", help="sys.setswitchinterval, for example 1e-6"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C reach the children of the tests, and set the interval, if one is given."""
    # a shell has its background jobs ignore it, and with them their children
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if seconds := config.getoption("--switch-interval"):
        sys.setswitchinterval(seconds)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(autouse=True)
def answers_of_registries(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what tests ask their registries away from the cache of the user who runs them."""
    monkeypatch.setattr(store_answers, "find_cache_folder", tmp_path_factory.getbasetemp)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real annotated posts, which is not part of the repository."""
    folder = Path(os.environ.get("COTPD_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: name a folder with twitter2017/ and mnre/ in COTPD_DATA")
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of a few kilobytes with a vocabulary of letters."""
    return write_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file below the test's folder: text, bytes, or rows as JSON Lines."""

    def _write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            content = format_jsonl(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return _write


@pytest.fixture(scope="session")
def students(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of a trained student by task."""
    return train_students(encoder, tmp_path_factory.mktemp("students"))


@pytest.fixture(scope="session")
def exports(students: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of a trained student by task, with its export beside it; copy both before you change one."""
    return export_students(students, tmp_path_factory.mktemp("exports"))


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's database without a version, which costs its six seconds once."""
    folder = tmp_path_factory.mktemp("registry")
    connect(RegisterParams(), folder, create=True)
    return folder / "mlflow.db"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL; a test makes a database of its own with tests.postgres.create_database."""
    with run_postgres() as address:
        yield address


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A Prefect server with a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A disk with 200 KB left, and a function that makes room on it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=200m", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


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
