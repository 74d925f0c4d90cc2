"""One run at a time in a project's folder: a second one waits, and says for which.

Trade-off: a lock of the operating system on one file. It is free the moment its process dies, kill -9 included,
so no run is ever blocked by a dead one. It holds on one machine; across machines the deployment's limit of one run
does.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from cotpd.errors import ConfigError

_PAUSE = 1.0  # seconds between two tries
FILE = Path(".dvc/tmp/cotpd-run.json")  # DVC has git ignore its folder


@contextmanager
def hold_workspace(root: Path, name: str, wait: Callable[[str], None]) -> Iterator[None]:
    """Hold a project's folder for one run.

    Args:
        root: The folder.
        name: The run's name, for those that wait for it.
        wait: Is called with the reason, again and again, as long as another run holds the folder.

    Raises:
        ConfigError: The folder's file system knows no locks.
    """
    if not (root / ".dvc").is_dir():  # reading the graph says so with a remedy
        yield
        return
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        while not _try_lock(file):
            wait(f"{_describe_holder(file)} is at work in {root.resolve()}")
            time.sleep(_PAUSE)
        _write_holder(file, name)
        try:
            yield
        finally:
            file.truncate(0)


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        problem = f"{file.name}: its file system refuses a lock ({error.strerror or error})"
        raise ConfigError(problem, "Move the project to a local disk, or mount this one with locks.") from error
    return True


def _write_holder(file: IO[str], name: str) -> None:
    file.seek(0)
    file.truncate(0)
    json.dump({"run": name, "process": os.getpid(), "host": socket.gethostname()}, file)
    file.flush()


def _describe_holder(file: IO[str]) -> str:
    """Return the run that holds the folder, in words; it may not have written its name yet."""
    with suppress(ValueError, KeyError, TypeError):
        file.seek(0)
        holder = json.load(file)
        return f"the run {holder['run']} (process {holder['process']} on {holder['host']})"
    return "another run"
