"""Ctrl-C and SIGTERM in the seconds in which a program imports its packages: one line and no traceback."""

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
    """Have a signal end the program at once, until :func:`restore_signals`: nothing has begun yet.

    A signal that the caller of the program has set otherwise, such as Ctrl-C in the background, stays so.
    """
    for number, default in _HANDLED.items():
        if signal.getsignal(number) is default:
            signal.signal(number, _end)


def restore_signals() -> None:
    """Give the signals their default handlers back; a program calls this when its imports are done."""
    for number, default in _HANDLED.items():
        if signal.getsignal(number) is _end:
            signal.signal(number, default)


def _end(number: int, _frame: FrameType | None) -> None:
    os.write(2, b"interrupted before anything had begun\n")
    os._exit(128 + number)
