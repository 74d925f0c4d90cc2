"""Whether a process still lives, by the name that it left in a ledger, on an MLflow run or on a folder.

On this machine the operating system knows, even of a suspended process. A process on another machine counts as
dead when its last heartbeat is old.
"""

import os
import socket
import uuid
from pathlib import Path

LAPSE = 30.0  # seconds without a heartbeat after which a process on another machine counts as dead


def name_process() -> str:
    """Return a name that no other process has: host, process id, start time, and a random part."""
    _, start_time = _read_status(os.getpid())
    return f"{socket.gethostname()}:{os.getpid()}:{start_time}-{uuid.uuid4().hex[:8]}"


def is_dead(name: str, silent: float, lapse: float = LAPSE) -> bool:
    """Whether the process of a name has ended.

    On another machine, or if the process id may be reused: dead after ``lapse`` seconds without a heartbeat.

    Args:
        name: From :func:`name_process`.
        silent: Seconds since the last heartbeat.
        lapse: Seconds that a heartbeat may be late.
    """
    host, pid, start = name.rsplit(":", 2)
    if host != socket.gethostname():
        return silent > lapse
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # the process of another user, and alive
    state, start_time = _read_status(int(pid))
    if state in ("Z", "X"):  # ended, but its parent has not collected its exit status yet
        return True
    named_start_time, dash, _ = start.partition("-")  # names that earlier versions left hold no start time
    is_same_process = bool(dash) and named_start_time == start_time
    return silent > lapse and not is_same_process


def _read_status(pid: int) -> tuple[str, str]:
    """Return state and start time of a process as Linux writes them; empty on other systems."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return "", ""
    values = line.rpartition(")")[
        2
    ].split()  # the program's name, in brackets before, may hold spaces and brackets
    return values[0], values[19]
