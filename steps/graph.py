"""dvc.yaml as both doors see it: which steps there are, which are up to date, and how one is run.

DVC is the only judge of what is up to date. A second cache (Prefect's own) would have to be kept in
agreement with dvc.lock, and would be wrong whenever somebody used the other door.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx
from dvc.exceptions import CyclicGraphError, DvcException
from dvc.repo import Repo

from cotpd.config import load_params
from cotpd.errors import ConfigError


@dataclass(frozen=True)
class Step:
    """One stage of dvc.yaml: its name, what it says of itself, and the steps it waits for."""

    name: str
    description: str
    after: tuple[str, ...]


def read_graph(root: Path | str = ".") -> list[Step]:
    """The steps of dvc.yaml, each after those it depends on.

    Raises:
        ConfigError: dvc.yaml or params.yaml cannot be read, or the folder is not a DVC project.
    """
    try:
        with Repo(str(root)) as repo:
            graph = repo.index.graph  # an edge leads from a stage to one that it depends on
            order = networkx.lexicographical_topological_sort(graph.reverse(), key=lambda stage: stage.name)
            return [
                Step(stage.name, stage.desc or "", tuple(sorted(up.name for up in graph.successors(stage))))
                for stage in order
            ]
    except DvcException as error:
        raise _explain(error, Path(root)) from error


def _explain(error: DvcException, root: Path) -> ConfigError:
    """Say what DVC cannot go on without; raises instead where params.yaml names the reason."""
    if "is not a git repository" in str(error):
        return ConfigError(f"{root.resolve()} is no git repository, which DVC needs", "Run there: git init")
    if isinstance(error, CyclicGraphError):
        load_params(root / "params.yaml")  # data.path within an output
    return ConfigError(f"dvc.yaml: {error}", "`dvc status` shows the same; mend the file it names.")


def is_up_to_date(name: str, root: Path | str = ".") -> bool:
    """Whether dvc.lock, the inputs, the parameters and the outputs of a step all agree."""
    # What --wait-for-lock does on the command line: somebody may be using the other door right now.
    with Repo(str(root), _wait_for_lock=True) as repo, repo.lock:
        stage = next(stage for stage in repo.index.stages if stage.name == name)
        return not stage.status(check_updates=True)


def run_step(name: str, root: Path | str = ".") -> Iterator[str]:
    """Run one step through DVC and yield what it prints, line by line.

    The step gets its own process group, so that an interrupted flow leaves nothing running.

    Raises:
        subprocess.CalledProcessError: The step failed; what it printed has been yielded.
    """
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    with subprocess.Popen(
        command,
        cwd=root,
        env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            yield from (line.rstrip() for line in process.stdout or ())
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
