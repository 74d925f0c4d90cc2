"""dvc.yaml for the flow: which steps there are, which of them are up to date, and how one is run.

Only DVC decides whether a step is up to date. A second cache (Prefect's own) would have to agree with dvc.lock,
and would be wrong after each `dvc repro`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
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
from cotpd.pipeline.params_file import UPGRADE, list_missing
from cotpd.storage import explain_full_disk
from steps import guard
from steps.stage_inputs import digest_stamps

_BUSY = "is busy, it is being blocked by"  # what DVC says of a file that another process writes
_PAUSE = 1.0  # seconds between two looks at it
_only_thread = threading.Lock()  # one Repo at a time: DVC's parser and caches are not made for threads

Notify = Callable[[str], object]


def _wait_in_silence(_reason: str) -> None:
    """Tell no one of a wait."""


@dataclass(frozen=True)
class Step:
    """One stage of dvc.yaml.

    Attributes:
        name, description: The stage's.
        after: The steps that it waits for.
        watched: Its inputs and outputs, and DVC's files: paths.
        look: Their state when it was up to date, as the graph was read; empty if it was not.
        computes: Whether it trains or runs a model, of which few fit on a machine.
        spreads: Whether it can train several models at once.
        retries: How often a failure is tried again; 0 where a try may cost money.
    """

    name: str
    description: str
    after: tuple[str, ...]
    watched: tuple[str, ...] = ()
    look: str = ""
    computes: bool = False
    spreads: bool = False
    retries: int = 0

    def is_untouched(self, root: Path | str = ".") -> bool:
        """Whether the step was up to date when the graph was read, and no file that it watches has changed."""
        return bool(self.look) and self.look == digest_stamps(self.watched, Path(root))


def read_graph(root: Path | str = ".", notify: Notify = _wait_in_silence) -> list[Step]:
    """Return the steps of dvc.yaml, each after the steps that it depends on.

    Args:
        root: The project's folder.
        notify: Is called with the reason of a wait, again and again; it may raise to end the wait.

    Raises:
        ConfigError: dvc.yaml or params.yaml cannot be read, or the folder is not a DVC project.
    """
    try:
        with open_locked(root, notify) as repo:
            graph = repo.index.graph  # an edge leads from a stage to one that it depends on
            order = networkx.lexicographical_topological_sort(graph.reverse(), key=name_stage)
            return [_build_step(stage, graph.successors(stage), Path(root)) for stage in order]
    except DvcException as error:
        raise _explain(error, Path(root)) from error


def name_stage(stage: Stage) -> str:
    """Return the name by which `dvc repro` takes a stage: of dvc.yaml, or the path of data that `dvc add` tracks.

    A dvc.yaml in a folder of its own stands before the name of its stage.
    """
    path, name = str(stage.path_in_repo), str(getattr(stage, "name", "") or "")
    return name if name and path == "dvc.yaml" else ":".join(filter(None, (path, name)))


def _build_step(stage: Any, after: Iterable[Any], root: Path) -> Step:
    with_defaults = {"computes": False, "spreads": False, "retries": 0} | (stage.meta or {})
    files = [str(part.fs_path) for part in (*stage.deps, *stage.outs)]
    watched = tuple(dict.fromkeys([*files, stage.path, str(Path(stage.path).with_suffix(".lock"))]))
    look = digest_stamps(watched, root)  # before DVC's look: a file that is edited in between is looked at again
    return Step(
        name_stage(stage),
        stage.desc or "",
        tuple(sorted(map(name_stage, after))),
        watched=watched,
        look=look if _is_current(stage) else "",
        computes=bool(with_defaults["computes"]),
        spreads=bool(with_defaults["spreads"]),
        retries=int(with_defaults["retries"]),
    )


def _is_current(stage: Any) -> bool:
    """Whether a stage is up to date; False if an input cannot be read, so that its run says why."""
    try:
        return not stage.status(check_updates=True)
    except (OSError, DvcException):
        return False


@contextmanager
def open_locked(root: Path | str, notify: Notify) -> Iterator[Repo]:
    """Open DVC's repository and hold its lock, waiting for another process that does."""
    with _only_thread, Repo(str(root)) as repo:
        while True:
            try:
                repo.lock.lock()
                break
            except LockError:
                notify("another DVC process holds DVC's lock")
        try:
            yield repo
        finally:
            repo.lock.unlock()


def _explain(error: DvcException, root: Path) -> ConfigError:
    """Return DVC's error with a remedy.

    Raises:
        ConfigError: params.yaml has the reason, with its line.
    """
    if "is not a git repository" in str(error):
        return ConfigError(f"{root.resolve()} is no git repository, which DVC needs", "Run there: git init")
    if isinstance(error, CyclicGraphError):
        load_params(root / "params.yaml")  # data.path within an output
    if "RWLock-file" in str(error):
        problem = f"{root.resolve()}/.dvc/tmp/rwlock is half written, after a kill or on a full disk"
        return ConfigError(problem, "Free some space if the disk is full, then run: python -m steps")
    if missing := list_missing(root / "params.yaml"):
        return ConfigError(f"dvc.yaml: {error}; params.yaml lacks {', '.join(missing)}", UPGRADE)
    return ConfigError(f"dvc.yaml: {error}", "`dvc status` shows the same; mend the file it names.")


def is_up_to_date(name: str, root: Path | str = ".", notify: Notify = _wait_in_silence) -> bool:
    """Whether dvc.lock, the inputs, the parameters and the outputs of a step all agree.

    Wait while another process writes an output of the step, or an input.

    Args:
        name: The step's name.
        root: The project's folder.
        notify: Is called with the reason of a wait, every second; it may raise to end the wait.

    Raises:
        ConfigError: An input cannot be read, or dvc.yaml cannot or has no such step any more.
    """
    while True:
        try:
            return not _read_changes(name, root, notify)
        except LockError as error:
            reason, *_ = str(error).split("\n\n")
        except DvcException as error:
            raise _explain(error, Path(root)) from error
        except OSError as error:  # DVC reads every input; a link that leads nowhere cannot be
            if full_disk := explain_full_disk(error):
                raise full_disk from None
            problem = f"{error.filename}: {error.strerror}: an input of step {name} cannot be read"
            raise ConfigError(problem, "Mend it, or remove the link if it is one that leads nowhere.") from error
        notify(" ".join(reason.split()))
        time.sleep(_PAUSE)


def _read_changes(name: str, root: Path | str, notify: Notify) -> Any:
    """Return what DVC names as changed about a step; empty if nothing is."""
    with open_locked(root, notify) as repo:
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
        environment: Variables beside those of this process.

    Raises:
        subprocess.CalledProcessError: On leaving: the step failed.
    """

    def __init__(self, name: str, root: Path | str = ".", environment: Mapping[str, str] | None = None) -> None:
        self.command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--single-item", name]
        self.root = root
        self._environment = dict(environment or {})

    def __enter__(self) -> Self:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        self.guard = subprocess.Popen(
            [sys.executable, guard.__file__, *self.command],
            cwd=self.root,
            env=os.environ | self._environment | {"PATH": path, "PYTHONUNBUFFERED": "1"},
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
