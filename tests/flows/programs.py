"""Programs that the tests of the flow run and wait for."""

import subprocess
import sys
import time
from collections.abc import Callable
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
