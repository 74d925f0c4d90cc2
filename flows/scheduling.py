"""Run the stages of a graph, several at once where they do not wait for one another.

The main thread starts stages and waits for them, since a signal reaches no other thread. Each stage has a thread
of Prefect's task runner, which reads the lines of its step.

Trade-off: two trainings on one GPU, or on the cores of one laptop, take as long as one after the other and twice
the memory. So stages that compute share slots, one by default, beside which those that wait for a server run.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.futures import PrefectFuture

from cotpd.errors import CotpdError
from flows.background_writer import BackgroundWriter
from steps.graph import RunningStep, Step
from steps.guard import GRACE

_PULSE = 1.0  # seconds
_LAST_WORDS = 20.0  # seconds beyond the steps' own in which the tasks of stopped stages end


class OutOfTimeError(CotpdError):
    """A run has used up its hours."""


def refuse_more_hours(hours: float) -> OutOfTimeError:
    """Return the error of a run that has not ended within its hours."""
    problem = f"the run has not ended within {hours:g} hours"
    return OutOfTimeError(problem, "Run again: it goes on where it was. Or raise `hours`.")


@contextmanager
def end_after(running: RunningStep, hours: float | None) -> Iterator[None]:
    """Ask the processes of the block to end after some hours.

    Raises:
        OutOfTimeError: On leaving: they have been asked.
    """
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        running.end()

    timer = threading.Timer(min(3600 * (hours or 0), threading.TIMEOUT_MAX), end)
    timer.daemon = True
    if hours is not None:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if hours is not None and is_over.is_set():
        raise refuse_more_hours(hours)


class RunControl:
    """The state that the stages of a run share: its folder, its deadline, and the steps that run.

    Args:
        root: The project's folder.
        hours: When the run has to end; None for no limit.
        log: Writes a line into the run's log.
    """

    def __init__(self, root: Path, hours: float | None = None, log: Callable[[str], None] = print) -> None:
        self.root, self.hours, self.log = root, hours, log
        self.artifacts = BackgroundWriter()
        self._deadline = None if hours is None else time.monotonic() + 3600 * hours
        self._lock, self._running = threading.Lock(), dict[str, RunningStep]()
        self._reasons = dict[str, str]()
        self.is_stopping = False

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the run has to end; None without a limit."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def check_time(self) -> None:
        """Raise OutOfTimeError if the run's hours are over."""
        if self.hours is not None and self.seconds_left == 0:
            raise refuse_more_hours(self.hours)

    def refuse_if_stopping(self) -> None:
        """End the thread of a stage, as the signal would that has ended the run."""
        if self.is_stopping:
            raise TerminationSignal(signal=signal.SIGTERM)

    def watch_wait(self, waiting: str, reason: str) -> None:
        """Log that something waits, and for what, once for each reason; it is called every second.

        Raises:
            OutOfTimeError: The run's hours are over.
            TerminationSignal: The run is being stopped.
        """
        if self._reasons.get(waiting) != reason:
            self._reasons[waiting] = reason
            self.log(f"{waiting} waits: {reason}")
        self.refuse_if_stopping()
        self.check_time()

    @contextmanager
    def start_step(self, name: str, environment: dict[str, str]) -> Iterator[RunningStep]:
        """Run a step, which ends when the run is stopped."""
        with RunningStep(name, self.root, environment) as running:
            with self._lock:
                self._running[name] = running
            try:
                self.refuse_if_stopping()
                yield running
            finally:
                with self._lock:
                    del self._running[name]

    def stop_steps(self) -> None:
        """Ask every step that runs to end, and let no further one start.

        The log comes last: where its reader has died (`python -m flows`), writing into it raises SystemExit.
        """
        self.is_stopping = True
        with self._lock:
            for running in self._running.values():
                running.end()
            names = ", ".join(self._running)
        if names:
            self.log(f"{names}: stopping, with {GRACE:.0f} seconds to write what is there; then killed")


class Slots:
    """The slots of stages that compute: one for each model that may run at once.

    Args:
        count: How many there are.
        gpus: The GPUs that they are spread over; empty without any.
    """

    def __init__(self, count: int, gpus: Sequence[str] = ()) -> None:
        self._count, self._gpus = count, gpus
        self._free, self._taken = list(range(count)), dict[str, list[int]]()

    def take(self, step: Step) -> bool:
        """Give a step a slot if it needs one, all free ones if it can use them; return False if it has to wait."""
        if step.computes and self._free:
            share = len(self._free) if step.spreads else 1
            self._taken[step.name], self._free = self._free[:share], self._free[share:]
        return not step.computes or step.name in self._taken

    def release(self, name: str) -> None:
        """Take a step's slots back."""
        self._free = sorted([*self._free, *self._taken.pop(name, ())])

    def list_variables(self, name: str) -> dict[str, str]:
        """Return the environment of a step where several models share the machine: its GPUs, and its trainings."""
        slots = self._taken.get(name, ())
        if self._count == 1 or not slots:  # alone it may use everything
            return {}
        gpus = dict.fromkeys(self._gpus[slot % len(self._gpus)] for slot in slots if self._gpus)
        return {"COTPD_TRAININGS": str(len(slots))} | ({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {})


Submit = Callable[[Step, dict[str, str], list[PrefectFuture[Any]]], PrefectFuture[Any]]


class Scheduler:
    """Starts each stage as soon as those before it have ended and there is room.

    Args:
        steps: The stages, each after those that it waits for.
        control: The run's.
        jobs: How many run at once, at most.
        slots: The slots of the stages that compute.
        submit: Starts a stage's task in a thread, with its environment and the tasks before it.
    """

    def __init__(
        self, steps: Sequence[Step], control: RunControl, jobs: int, slots: Slots, submit: Submit
    ) -> None:
        self._pending, self._control, self._jobs, self._slots = list(steps), control, jobs, slots
        self._submit = submit
        self._futures = dict[str, PrefectFuture[Any]]()
        self._running, self._ended = set[str](), SimpleQueue[str]()

    def run(self) -> dict[str, State[Any]]:
        """Run all stages; return the state of each one's task, in the order in which they were started.

        Raises:
            OutOfTimeError: The run's hours are over; the steps that ran have ended.
        """
        try:
            while self._pending or self._running:
                self._start_ready()
                self._collect(self._control.seconds_left)
                self._control.check_time()
        except BaseException:
            self._stop()
            raise
        return {name: self._read_state(future) for name, future in self._futures.items()}

    def _start_ready(self) -> None:
        for step in list(self._pending):
            has_room = len(self._running) < self._jobs
            is_ready = all(name in self._futures and name not in self._running for name in step.after)
            if has_room and is_ready and self._slots.take(step):
                self._pending.remove(step)
                self._start(step)

    def _start(self, step: Step) -> None:
        self._running.add(step.name)
        upstream = [self._futures[name] for name in step.after]
        future = self._submit(step, self._slots.list_variables(step.name), upstream)
        self._futures[step.name] = future
        future.add_done_callback(lambda _: self._ended.put(step.name))

    def _collect(self, seconds: float | None) -> None:
        """Wait a moment for a stage to end, at most some seconds.

        A signal may come to another thread of the process, and its handler runs only when this one wakes up.
        """
        try:
            name = self._ended.get(timeout=_PULSE if seconds is None else min(seconds, _PULSE))
        except Empty:
            return
        self._running.remove(name)
        self._slots.release(name)

    def _stop(self) -> None:
        """End what runs, and wait until its tasks have written their last lines."""
        self._control.stop_steps()
        deadline = time.monotonic() + GRACE + _LAST_WORDS
        while self._running and time.monotonic() < deadline:
            self._collect(_PULSE)

    @staticmethod
    def _read_state(future: PrefectFuture[Any]) -> State[Any]:
        future.wait()
        return future.state
