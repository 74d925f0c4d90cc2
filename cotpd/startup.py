"""Ctrl-C and SIGTERM while a program still imports its packages, for seconds: one line and no traceback."""

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

_HANDLED: dict[int, signal.Handlers | Callable[[int, FrameType | None], Any]] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


def end_quietly_on_signals() -> None:
    """Until :func:`restore_signals`, end the program at once: nothing has begun yet.

    What the caller of the program has set, such as ignoring Ctrl-C in the background, stays.
    """
    for number, usual in _HANDLED.items():
        if signal.getsignal(number) is usual:
            signal.signal(number, _end)


def restore_signals() -> None:
    """Let signals do what they usually do; a program calls this when its imports are done."""
    for number, usual in _HANDLED.items():
        if signal.getsignal(number) is _end:
            signal.signal(number, usual)


def _end(number: int, _frame: FrameType | None) -> None:
    os.write(2, b"interrupted before anything had begun\n")
    os._exit(128 + number)
