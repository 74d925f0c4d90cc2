"""Run a module for several requests at once, each in a process of its own; none outlives this one.

Trade-off: a process a request, whose start takes some seconds and whose models take memory of their own, instead
of threads: their random numbers would mix, and the results would depend on which comes first.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

from cotpd.errors import ModelError
from cotpd.startup import restore_signals
from steps.common import say

_TICK = 0.05  # seconds between two looks at the processes
_GRACE = 5.0  # seconds that a process has to end before it is killed; DVC's guard gives this one 10
_ERROR = "error: "


def run_at_once(module: str, requests: Mapping[str, str], slots: Iterable[Mapping[str, str]]) -> None:
    """Run a module for each request, as many at once as there are slots, and print their lines with their names.

    Args:
        module: Its name; it begins with :func:`read_request`.
        requests: A line of text for each process, by the name of its work.
        slots: For each process that may run at once, variables of its environment.

    Raises:
        ModelError: A process failed; those beside it have been ended.
    """
    pending, free = list(requests.items()), list(slots)
    running: list[_Worker] = []
    try:
        while pending or running:
            while pending and free:
                running.append(_Worker(module, *pending.pop(0), free.pop(0)))
            time.sleep(_TICK)
            for worker in [worker for worker in running if worker.process.poll() is not None]:
                running.remove(worker)
                free.append(worker.slot)
                worker.check()
    finally:
        for worker in running:
            worker.end()


class _Worker:
    """One process.

    Args:
        module: The module that it runs.
        name: The name of its work, put before each of its lines.
        request: A line of text.
        slot: Variables of its environment.
    """

    def __init__(self, module: str, name: str, request: str, slot: Mapping[str, str]) -> None:
        self.name, self.slot, self._reason = name, slot, ""
        inherited = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}  # it is no stage
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=inherited | {"PYTHONUNBUFFERED": "1"} | dict(slot),
        )
        self._reader = threading.Thread(target=self._relay, daemon=True)
        self._reader.start()
        assert self.process.stdin is not None  # a pipe was asked for
        with suppress(OSError):  # it died at once, which check() tells
            self.process.stdin.write(f"{request}\n")
            self.process.stdin.flush()

    def _relay(self) -> None:
        assert self.process.stdout is not None  # a pipe was asked for
        for line in self.process.stdout:
            if line.startswith(_ERROR):
                self._reason = line.removeprefix(_ERROR).strip()
            if line.strip():
                say(f"{self.name}: {line.rstrip()}")

    def check(self) -> None:
        """Raise an error if the process has failed.

        Raises:
            ModelError: It has.
        """
        self._reader.join(_GRACE)
        status = self.process.returncode
        if status < 0:
            remedy = "If memory ran out, set scale.trainings to 1; run again to go on."
            raise ModelError(f"{self.name}: its process was ended by signal {-status}", remedy)
        if status:
            reason = self._reason or f"its process ended with status {status}"
            raise ModelError(f"{self.name}: {reason}", "Its lines above say more; run again to go on.")

    def end(self) -> None:
        """End the process: its standard input ends, and it is killed if it lives on."""
        with suppress(OSError):
            if self.process.stdin:
                self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_GRACE)
        self.process.kill()
        self.process.wait()


def read_request() -> str:
    """Return the request of this process, and have it end when its owner ends it or dies, kill -9 included."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches the owner, which ends this process
    restore_signals()
    request = sys.stdin.readline()

    def wait_for_end() -> None:
        while os.read(0, 1024):
            pass
        os._exit(130)  # a training goes on after its last epoch

    threading.Thread(target=wait_for_end, daemon=True).start()
    return request
