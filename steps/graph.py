"""dvc.yaml for the flow: which steps there are, which of them are up to date, and how one is run.

Only DVC decides whether a step is up to date. A second cache (Prefect's own) would have to agree with dvc.lock,
and would be wrong after each `dvc repro`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import networkx
from dvc.exceptions import CyclicGraphError, DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.stage import Stage

from cotpd.config import load_params
from cotpd.errors import ConfigError
from steps import guard

_BUSY = "is busy, it is being blocked by"  # what DVC says of a file that another process writes
_PAUSE = 1.0  # seconds between two looks at it


@dataclass(frozen=True)
class Step:
    """One stage of dvc.yaml: its name, its description, and the steps that it waits for."""

    name: str
    description: str
    after: tuple[str, ...]


def read_graph(root: Path | str = ".") -> list[Step]:
    """Return the steps of dvc.yaml, each after the steps that it depends on.

    Raises:
        ConfigError: dvc.yaml or params.yaml cannot be read, or the folder is not a DVC project.
    """
    try:
        with Repo(str(root)) as repo:
            graph = repo.index.graph  # an edge leads from a stage to one that it depends on
            order = networkx.lexicographical_topological_sort(graph.reverse(), key=name_stage)
            return [
                Step(name_stage(stage), stage.desc or "", tuple(sorted(map(name_stage, graph.successors(stage)))))
                for stage in order
            ]
    except DvcException as error:
        raise _explain(error, Path(root)) from error


def name_stage(stage: Stage) -> str:
    """Return the name by which `dvc repro` takes a stage: of dvc.yaml, or the path of data that `dvc add` tracks.

    A dvc.yaml in a folder of its own stands before the name of its stage.
    """
    path, name = str(stage.path_in_repo), str(getattr(stage, "name", "") or "")
    return name if name and path == "dvc.yaml" else ":".join(filter(None, (path, name)))


def _explain(error: DvcException, root: Path) -> ConfigError:
    """Return DVC's error with a remedy.

    Raises:
        ConfigError: params.yaml has the reason, with its line.
    """
    if "is not a git repository" in str(error):
        return ConfigError(f"{root.resolve()} is no git repository, which DVC needs", "Run there: git init")
    if isinstance(error, CyclicGraphError):
        load_params(root / "params.yaml")  # data.path within an output
    return ConfigError(f"dvc.yaml: {error}", "`dvc status` shows the same; mend the file it names.")


def is_up_to_date(name: str, root: Path | str = ".", notify: Callable[[str], object] | None = None) -> bool:
    """Whether dvc.lock, the inputs, the parameters and the outputs of a step all agree.

    Wait while another process writes an output of the step, or an input.

    Args:
        name: The step's name.
        root: The project's folder.
        notify: Is called once with the reason of a wait.

    Raises:
        ConfigError: An input cannot be read, or dvc.yaml cannot or has no such step any more.
    """
    while True:
        try:
            return not _read_changes(name, root)
        except LockError as error:
            if notify is not None:
                reason, *_ = str(error).split("\n\n")
                notify(f"{name}: waiting: {reason}")
            notify = None
            time.sleep(_PAUSE)
        except DvcException as error:
            raise _explain(error, Path(root)) from error
        except OSError as error:  # DVC reads every input; a link that leads nowhere cannot be
            problem = f"{error.filename}: {error.strerror}: an input of step {name} cannot be read"
            raise ConfigError(problem, "Mend it, or remove the link if it is one that leads nowhere.") from error


def _read_changes(name: str, root: Path | str) -> Any:
    """Return what DVC names as changed about a step; empty if nothing is."""
    # As --wait-for-lock does on the command line: a `dvc repro` may hold the lock at this moment.
    with Repo(str(root), _wait_for_lock=True) as repo, repo.lock:
        for stage in repo.index.stages:
            if name_stage(stage) == name:
                return stage.status(check_updates=True)
    raise ConfigError(f"dvc.yaml has no step {name} any more", "It was edited while the flow ran: run it again.")


def is_busy(printed: Iterable[str]) -> bool:
    """Whether a step was refused because another process writes the same files, by what DVC printed."""
    return any(_BUSY in line for line in printed)


class RunningStep:
    """One step that runs through DVC, under a guard that ends all its processes; iterate over its output's lines.

    A context manager. Leaving it by an exception asks the step's process group to end (SIGTERM), and kills the
    processes that are left after ``GRACE`` seconds; so does the death of this process, kill -9 included.

    Args:
        name: The step's name in dvc.yaml.
        root: The project's folder.

    Raises:
        subprocess.CalledProcessError: On leaving: the step failed.
    """

    def __init__(self, name: str, root: Path | str = ".") -> None:
        self.command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
        self.root = root

    def __enter__(self) -> Self:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        self.guard = subprocess.Popen(
            [sys.executable, guard.__file__, *self.command],
            cwd=self.root,
            env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C in a terminal reaches the flow, which ends the step in its own way
        )
        assert self.guard.stdin is not None  # a pipe was asked for
        assert self.guard.stdout is not None
        self._input, self._output = self.guard.stdin, self.guard.stdout
        self.group = int(self._output.readline() or 0)
        return self

    def __iter__(self) -> Iterator[str]:
        return (line.rstrip() for line in self._output)

    def end(self) -> None:
        """Ask the step's processes to end; the lines that they still print can be read until they have."""
        with suppress(OSError):
            self._input.close()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.end()
        self._output.close()
        status = self._wait()
        if kind is None and status:
            raise subprocess.CalledProcessError(status, self.command)

    def _wait(self) -> int:
        """Wait for the guard and return its exit status; if it was killed, kill the step's group in its place."""
        try:
            self.guard.wait(guard.GRACE + 5)
        except subprocess.TimeoutExpired:
            self.guard.kill()
            self.guard.wait()
        if self.guard.returncode < 0 and self.group:
            with suppress(ProcessLookupError):
                os.killpg(self.group, signal.SIGKILL)
        return self.guard.returncode
