"""Run one command, and end all its processes when its owner ends or dies: `python steps/guard.py COMMAND...`.

The guard stands between a flow (its owner) and DVC. Standard input is a pipe that only the owner holds open: its
end of file means that the owner has died (kill -9 included) or wants the command to end. The first line of output
is the number of the command's process group, for an owner whose guard is killed; the command's own output follows.

Trade-off: one more process a step (some 10 MB) instead of a parent-death signal, which exists on Linux alone and
would reach DVC, but neither its shell nor the step below it.
"""

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

GUARD = "COTPD_GUARD"  # the environment variable with the process id of a step's guard
GRACE = 10.0  # seconds between SIGTERM and SIGKILL: less than the 30 that Prefect gives the flow itself
_TICK = 0.1  # seconds between two looks at the processes
_DEATH = 2.0  # seconds that the system takes at most to remove a killed process
_BLOCK = 1 << 16
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux


class Guard:
    """One command in a process group of its own.

    Args:
        command: The program and its arguments.
    """

    def __init__(self, command: list[str]) -> None:
        self._status: int | None = None
        self._must_end = False
        self._owner_reads = True
        self._terminated: list[psutil.Process] = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note_signal)
        adopt_orphans()

        self._process = subprocess.Popen(
            command,
            env=os.environ | {GUARD: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None  # a pipe was asked for
        self._selector = selectors.DefaultSelector()
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        self._write(b"%d\n" % self._process.pid)

    def run(self) -> int:
        """Relay the command's output until it or its owner ends; return its exit status, negative for a signal."""
        while self._status is None and not self._must_end:
            self._relay(_TICK)
            self._reap()

        outsiders = find_descendants(self._process.pid) if self._must_end else []
        self._wait(GRACE, self._terminate)  # a finished command may have left processes in the background
        self._signal_group(signal.SIGKILL)
        kill_processes(outsiders)  # of other groups, such as the workers of torchrun
        self._wait(_DEATH)

        deadline = time.monotonic() + _DEATH  # a process that left the group may print for ever
        while self._relay(0) and time.monotonic() < deadline:
            pass
        return 1 if self._status is None else self._status

    def _wait(self, seconds: float, act: Callable[[], None] = lambda: None) -> None:
        """Relay output until the group is empty, at most some seconds."""
        deadline = time.monotonic() + seconds
        while self._signal_group(0) and time.monotonic() < deadline:
            act()
            self._relay(_TICK)
            self._reap()

    def _terminate(self) -> None:
        """Ask each process of the group to end, once.

        The command itself, DVC, gets SIGINT, after which it takes its locks back and waits for the step; killed by
        SIGTERM it would leave a lock that blocks the next run wherever a process has the same number again.
        """
        for process in find_descendants(os.getpid()):
            with suppress(psutil.Error, OSError):
                if process not in self._terminated and os.getpgid(process.pid) == self._process.pid:
                    is_command = process.pid == self._process.pid
                    process.send_signal(signal.SIGINT if is_command else signal.SIGTERM)
                    self._terminated.append(process)

    def _relay(self, seconds: float) -> bool:
        """Pass the command's output on to the owner; return whether there was any, or the owner's end of file."""
        ready = [key.fd for key, _ in self._selector.select(seconds)]
        for descriptor in ready:
            block = os.read(descriptor, _BLOCK)
            if not block:
                self._selector.unregister(descriptor)
            if descriptor == 0:
                self._must_end |= not block
            else:
                self._write(block)
        return bool(ready)

    def _write(self, block: bytes) -> None:
        """Write to the owner; a step that cleans up after its flow's death must not meet a broken pipe."""
        while block and self._owner_reads:
            try:
                block = block[os.write(1, block) :]
            except OSError:
                self._owner_reads = False

    def _reap(self) -> None:
        """Collect exit statuses: the command's, and those of adopted orphans, which would stay in the group."""
        with suppress(ChildProcessError):
            number, status = os.waitpid(-1, os.WNOHANG)
            while number:
                if number == self._process.pid:
                    self._status = os.waitstatus_to_exitcode(status)
                number, status = os.waitpid(-1, os.WNOHANG)

    def _signal_group(self, number: int) -> bool:
        """Send a signal to the group (0 only looks); return whether a process was there to receive it."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS refuses if only zombies are left
            return False
        return True

    def _note_signal(self, *_: object) -> None:
        self._must_end = True


def adopt_orphans() -> None:
    """Make this process the parent of its orphaned descendants, on Linux.

    Without it the first process of a container becomes their parent. It often never collects their exit status, so
    that they stay as zombies and the group never becomes empty.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1)


def find_descendants(number: int) -> list[psutil.Process]:
    """Return the descendants of a process; none if it has ended."""
    with suppress(psutil.Error):
        return psutil.Process(number).children(recursive=True)
    return []


def kill_processes(processes: list[psutil.Process]) -> None:
    """Kill the processes that still live; psutil spares a later process that got the same number."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


if __name__ == "__main__":
    status = Guard(sys.argv[1:]).run()
    sys.exit(status if status >= 0 else 128 - status)
