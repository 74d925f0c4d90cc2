"""A step's run under DVC: one process a stage, which ends with DVC, on inputs that stay as they are.

DVC leaves its command running when it is killed alone. The next `dvc repro` would then start the same step beside
it, and both would write the same files. Under a flow a guard ends the step; `dvc repro` by hand has none.
"""

import fcntl
import os
import re
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from cotpd.errors import ConfigError
from steps.guard import GRACE, GUARD
from steps.late_edits import list_recorded_stages, refuse_late_edit, write_input_record
from steps.stage_inputs import read_stage_inputs

_STAGE = "DVC_STAGE"  # the environment variable in which DVC names the stage to its command
_TICK = 0.5  # seconds between two looks at DVC
_SHOWN = 5  # changed inputs that an error names


class RunUnderDvc:
    """The run of a step that DVC has started.

    Args:
        stage: Its stage in dvc.yaml.
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._dvc = find_dvc()
        end_with_dvc()
        self._turn = wait_for_turn(stage)
        self._inputs = read_stage_inputs(stage)

    def is_watched(self, folder: Path) -> bool:
        """Whether an edit of a file in a folder makes the stage stale; True if the inputs cannot be read."""
        prefix = f"{os.path.relpath(folder)}{os.sep}"
        return self._inputs is None or any(name.startswith(prefix) for name in self._inputs.files)

    def verify_former_stages(self) -> None:
        """Refuse to begin if an input of a stage that the same DVC ran before was edited as its step ended.

        Raises:
            ConfigError: The message names what was edited.
        """
        for stage in list_recorded_stages(self._dvc):
            refuse_late_edit(stage)

    def verify_inputs(self) -> None:
        """Refuse to end well if an input was edited since the step began.

        Raises:
            ConfigError: The message names what was edited.
        """
        later = read_stage_inputs(self._stage)
        changes = self._inputs.list_changes(later) if self._inputs and later else []
        if self._inputs and (changes or later is None):
            names = ", ".join(changes[:_SHOWN]) or "dvc.yaml or params.yaml"
            raise ConfigError(
                f"{self._stage}: edited while it ran: {names}",
                "Run again: what this run wrote may come from either version, so DVC records none of it.",
            )
        if self._inputs:
            write_input_record(self._stage, self._inputs, self._dvc)


def find_dvc() -> str:
    """Return the number and the start of the DVC that runs this step; empty if the system does not let us look."""
    with suppress(psutil.Error):
        owners = find_owners(_STAGE)
        return f"{owners[-1].pid} {owners[-1].create_time()}" if owners else ""
    return ""


def begin_under_dvc() -> RunUnderDvc | None:
    """Return the run of this step; None if DVC did not start it, or another process of torchrun speaks for it."""
    stage = os.environ.get(_STAGE)
    if not stage or os.environ.get("RANK", "0") != "0":
        return None
    return RunUnderDvc(stage)


def wait_for_turn(stage: str, folder: Path = Path(".dvc/tmp")) -> TextIO | None:
    """Wait until an earlier process of the same stage has ended; return what marks this one until it ends."""
    if not folder.is_dir():
        return None
    name = re.sub(r"[^\w.-]", "-", stage)
    file = (folder / f"cotpd-{name}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(2, f"{stage}: waiting for an earlier run of it to end\n".encode())
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def end_with_dvc() -> None:
    """Have a thread end this process when DVC, a process between DVC and this one, or DVC's guard has died."""
    owners = find_owners(_STAGE)
    with suppress(psutil.Error):
        guard = owners[-1].parent() if owners else None
        if guard is not None and os.environ.get(GUARD) == str(guard.pid):
            owners.append(guard)
    if owners:
        threading.Thread(target=_watch, args=(owners,), daemon=True).start()


def find_owners(variable: str) -> list[psutil.Process]:
    """Return the processes above this one up to the one that set an environment variable for them.

    Returns:
        The last is the one that has no such variable itself; none if the system does not let us look.
    """
    owners: list[psutil.Process] = []
    with suppress(psutil.Error, OSError):
        for process in psutil.Process().parents() if variable in os.environ else ():
            owners.append(process)
            if variable not in process.environ():
                return owners
    return []


def _watch(owners: list[psutil.Process]) -> None:
    """Interrupt this process once an owner has died; kill it if it has not ended after ``GRACE`` seconds."""
    while all(map(is_alive, owners)):
        time.sleep(_TICK)
    if os.environ.get(GUARD) == str(owners[-1].pid) and is_alive(owners[-1]):
        return  # the guard ends this process; a second SIGTERM would break off the first one's saving
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def is_alive(process: psutil.Process) -> bool:
    """Whether a process has not ended; the number of one that has may be another's by now."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
