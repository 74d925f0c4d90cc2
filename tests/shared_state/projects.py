"""A project of two stages, and the two doors to it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.shared_state.compose import ROOT

LIMIT = 300.0
STEP = """
import pathlib, sys
name, out, *inputs = sys.argv[1:]
with open("executions.txt", "a") as log:
    log.write(name + "\\n")
pathlib.Path(out).write_text(name + pathlib.Path("params.yaml").read_text() + "".join(map(str, inputs)))
"""
GRAPH = """
stages:
  first:
    cmd: python step.py first a.txt
    params: [first]
    outs: [a.txt]
  second:
    cmd: python step.py second b.txt a.txt
    deps: [a.txt]
    outs: [b.txt]
"""
FLOW = """
import json
import flows.full
state = flows.full.full(return_state=True)
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
with get_client(sync_client=True) as client:
    run = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
    print(json.dumps({task.name: task.state.name for task in client.read_task_runs(flow_run_filter=run)}))
"""


def run(folder: Path, *command: str) -> str:
    """Run a command in a folder and return its output; it must succeed."""
    completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def run_dvc(folder: Path, *arguments: str) -> str:
    """Run DVC in a folder and return its output."""
    return run(folder, sys.executable, "-m", "dvc", *arguments)


def run_flow(folder: Path) -> dict[str, str]:
    """Run the project's flow on the server of PREFECT_API_URL; return the name of each task's state."""
    states: dict[str, str] = json.loads(run(folder, sys.executable, "-c", FLOW).splitlines()[-1])
    return states


def create_project(folder: Path, remote: str) -> Path:
    """Create a repository with two stages, the flow's code, and a default remote."""
    folder.mkdir()
    run(folder, "git", "init", "-q")
    run_dvc(folder, "init", "-q")
    run_dvc(folder, "remote", "add", "--default", "shared", remote)
    for package in ("flows", "steps"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in {"step.py": STEP, "dvc.yaml": GRAPH, "params.yaml": "first: 1\n"}.items():
        (folder / name).write_text(text)
    (folder / ".gitignore").write_text("executions.txt\n__pycache__\n/a.txt\n/b.txt\n")
    return folder


def commit(folder: Path) -> None:
    """Commit all files of a repository."""
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "-m", "A run")


def list_executions(folder: Path) -> list[str]:
    """Return the steps that were executed in a project."""
    log = folder / "executions.txt"
    return log.read_text().split() if log.exists() else []
