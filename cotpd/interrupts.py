"""Have SIGTERM end a process as Ctrl-C does: requests in flight are committed, and a sentence is printed.

Schedulers, containers and `kill` send SIGTERM. Python's default is to end at once and silently, which would lose
the answers that a server has sent and the ledger has not committed.
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

    Under torchrun SIGTERM keeps its default: a process may be waiting for another one in native code, where no
    Python handler runs, and has to end all the same.
    """
    if "TORCHELASTIC_RUN_ID" in os.environ:
        yield
        return
    with _handle_sigterm(_interrupt):
        yield


@contextmanager
def cancel_on_sigterm() -> Iterator[None]:
    """Have SIGTERM cancel the running task, as asyncio.run does on Ctrl-C; a second SIGTERM interrupts at once."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    signals: list[int] = []

    def cancel(number: int, frame: FrameType | None) -> None:
        signals.append(number)
        if len(signals) > 1:
            _interrupt(number, frame)
        elif task is not None:
            loop.call_soon_threadsafe(task.cancel)

    with _handle_sigterm(cancel):
        yield


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _handle_sigterm(handler: Handler) -> Iterator[None]:
    """Set a handler for SIGTERM inside the block, unless a program that uses this package has set its own."""
    former = signal.getsignal(signal.SIGTERM)
    is_main_thread = threading.current_thread() is threading.main_thread()  # Python sets handlers in no other
    replaces = is_main_thread and former in (signal.SIG_DFL, _interrupt)
    if replaces:
        signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        if replaces:
            signal.signal(signal.SIGTERM, former)
