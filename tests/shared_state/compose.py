"""docker-compose.yaml as Docker Compose itself reads it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SECRETS = {"PGPASSWORD": "a-password-of-the-tests", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests"}


def find_program(name: str) -> str:
    """Return the path of a program that a wheel brought; skip the test where there is none."""
    program = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    return program or pytest.skip(f"{name} is not installed here")


def write_environment(path: Path, secrets: dict[str, str] = SECRETS) -> Path:
    """Write an environment file from the example, with secrets filled in."""
    text = (ROOT / "cotpd.env.example").read_text("utf-8")
    for name, value in secrets.items():
        text = re.sub(f"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
    path.write_text(text, "utf-8")
    return path


def read_environment(path: Path) -> dict[str, str]:
    """Return the variables of an environment file."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def run_compose(environment: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Docker Compose on a copy of the file that lies beside an environment file, which it names too."""
    folder = environment.parent
    shutil.copy(ROOT / "docker-compose.yaml", folder)
    command = [find_program("docker-compose"), "--env-file", str(environment), "--profile", "*", *arguments]
    variables = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}  # those of the file alone
    return subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=120
    )


def read_services(environment: Path) -> dict[str, Any]:
    """Return the services as they would be started, all variables filled in."""
    completed = run_compose(environment, "config", "--format", "json")
    assert completed.stdout, completed.stderr
    services: dict[str, Any] = json.loads(completed.stdout)["services"]
    return services
