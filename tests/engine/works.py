"""Work for an engine: functions of a stream, which workers import."""

import os
import socket
import time
from collections.abc import Iterable, Iterator

from cotpd.errors import DataError


def double_slowly(seconds: float, items: Iterable[int]) -> Iterator[int]:
    for item in items:
        time.sleep(seconds)
        yield 2 * item


def fail_at(number: int, items: Iterable[int]) -> Iterator[int]:
    for item in items:
        if item == number:
            raise DataError(f"row {item}: broken", "Mend it.")
        yield item


def name_process(items: Iterable[int]) -> Iterator[tuple[str, int]]:
    for _ in items:
        time.sleep(0.1)
        yield socket.gethostname(), os.getpid()


def end_process(items: Iterable[int]) -> Iterator[int]:
    for _ in items:
        os._exit(7)
    yield 0
