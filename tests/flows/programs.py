"""Programs that the tests of the flow run and wait for."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

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


def find_lasting_port() -> int:
    """Return a free port that no client gets while a server that had it is away.

    The system gives clients ports from 32768 on. One that asks again and again for a server on such a port may at
    last be given that very port, and so hold it against the server that comes back.
    """
    for port in range(20_000 + os.getpid() % 10_000, 32_768):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise OSError("no port below 32768 is free")
