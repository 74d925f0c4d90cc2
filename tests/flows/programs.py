"""Programs that the tests of the flow run and wait for."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.ports import find_port

LIMIT = 180.0  # seconds for anything that is waited for, on a busy machine


def run_dvc(project: Path, *arguments: str) -> str:
    """Run dvc in a project and return its output."""
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True, timeout=300).stdout


def wait_until(condition: Callable[[], object], description: str, limit: float = LIMIT) -> None:
    """Wait for a condition, for a limited time in seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline, f"waited too long: {description}"
        time.sleep(0.1)


def delete_deployments() -> None:
    """Delete all deployments of the tests' server; a work pool's would keep its name from the next test."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for deployment in client.read_deployments():
            client.delete_deployment(deployment.id)


class OwnServer:
    """A Prefect server of one test, which it kills and starts again.

    Args:
        home: An empty folder for its database.
    """

    def __init__(self, home: Path) -> None:
        self._port, self._home = str(find_port()), home
        self.environment = {
            "PREFECT_API_URL": f"http://127.0.0.1:{self._port}/api",
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home}/prefect.db",
            "PREFECT_HOME": str(home),
            "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
            "PREFECT_CLIENT_MAX_RETRIES": "0",  # which take a minute
        }
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with (self._home / "log").open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "prefect", "server", "start", "--port", self._port],
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: self._ask("health") is not None, "the server answers")

    def kill(self) -> None:
        """Kill the server with its processes."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(LIMIT)

    def read_states(self) -> list[str]:
        """Return the names of the states of all flow runs."""
        return [run["state"]["name"] for run in self._ask("flow_runs/filter", b"{}") or ()]

    def _ask(self, path: str, data: bytes | None = None) -> Any:
        request = urllib.request.Request(
            f"{self.environment['PREFECT_API_URL']}/{path}", data, {"Content-Type": "application/json"}
        )
        with suppress(OSError), urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
        return None
