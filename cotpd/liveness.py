"""Whether another process still lives, by a name that it left in a ledger, on an MLflow run or on a folder.

On this machine the process itself tells, suspended or not. One on another machine counts as dead when its last
sign of life is old.
"""

import os
import socket
import uuid
from pathlib import Path

LAPSE = 30.0  # seconds without a sign of life after which a process counts as dead


def name_process() -> str:
    """Name this process as no other has been named: host, process id, when it began, and a random end."""
    _, began = _read_status(os.getpid())
    return f"{socket.gethostname()}:{os.getpid()}:{began}-{uuid.uuid4().hex[:8]}"


def is_dead(name: str, silent: float, lapse: float = LAPSE) -> bool:
    """Whether the process of a name has ended.

    On another machine, or if the process id may have been reused: after ``lapse`` seconds without a sign of life.
    """
    host, pid, start = name.rsplit(":", 2)
    if host != socket.gethostname():
        return silent > lapse
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # another user's, and alive
    state, began = _read_status(int(pid))
    if state in ("Z", "X"):  # ended, but its parent has not taken its exit status yet
        return True
    began_then, dash, _ = start.partition("-")  # names of earlier versions do not say when
    return silent > lapse and not (dash and began_then == began)


def _read_status(pid: int) -> tuple[str, str]:
    """A process's state and when it began, in Linux' words; empty on other systems."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "", ""
    values = line.rpartition(")")[2].split()  # its name, in brackets before, may hold anything
    return values[0], values[19]
