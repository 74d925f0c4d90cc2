"""SIGTERM ends a process as Ctrl-C does: what is under way is brought to its end, and a sentence is printed.

Schedulers, containers and `kill` send SIGTERM. Left to itself it ends Python at once, silently, and with it the
answers that have been paid for and not been committed.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


@contextmanager
def interrupt_on_sigterm() -> Iterator[None]:
    """Have SIGTERM raise KeyboardInterrupt in the main thread.

    Not under torchrun: its processes may wait for each other where no Python code runs, and must end all the same.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        yield
        return
    with _handled(_interrupt):
        yield


@contextmanager
def cancel_on_sigterm() -> Iterator[None]:
    """Have SIGTERM cancel the running task, as asyncio.run has Ctrl-C do; a second one interrupts it at once."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    received: list[int] = []

    def cancel(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            _interrupt(number, frame)
        elif task is not None:
            loop.call_soon_threadsafe(task.cancel)

    with _handled(cancel):
        yield


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _handled(handler: Handler) -> Iterator[None]:
    """Handle SIGTERM for a while, unless a program that uses this package has a handler of its own."""
    before = signal.getsignal(signal.SIGTERM)
    ours = before in (signal.SIG_DFL, _interrupt) and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, before)
