"""The task that a worker runs: check its environment, load the transform once, compute a shard.

It knows nothing of Ray: the same function could run in any pool of processes.
"""

import logging
import os
import pickle
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cotpd.engine.ordered_map import Transform
from cotpd.engine.worker_environment import DriverEnvironment, read_versions
from cotpd.environment import silence_libraries
from cotpd.errors import CotpdError
from cotpd.extras import explain_missing_package

_MOST_MESSAGES = 20  # of one shard that reach the driver
_transforms: dict[str, Transform[Any, Any]] = {}  # the one that this process has loaded, by the key of its work


@dataclass
class ShardResult:
    """The results of one shard, or the error that ended it.

    Attributes:
        results: The results of its items, or of the items before an error.
        error: Why it ended early; None if it did not.
        seconds: The time that computing took.
        messages: Warnings of this package: logger, level, text.
        host: The machine.
    """

    results: list[Any] = field(default_factory=list)
    error: CotpdError | None = None
    seconds: float = 0.0
    messages: list[tuple[str, int, str]] = field(default_factory=list)
    host: str = field(default_factory=socket.gethostname)


def run_shard(key: str, transform: bytes, driver: DriverEnvironment, items: list[bytes]) -> ShardResult:
    """Compute one shard.

    Args:
        key: Names the work; the process keeps its transform for the next shard of the same work.
        transform: Pickled.
        driver: The environment that this one must equal.
        items: Each pickled.
    """
    shard = ShardResult()
    with _collect_warnings(shard.messages):
        try:
            loaded = _load_once(key, transform, driver)
            began = time.perf_counter()
            for result in loaded(map(pickle.loads, items)):
                shard.results.append(result)
            shard.seconds = time.perf_counter() - began
        except CotpdError as error:
            shard.error = error
        except ImportError as error:
            shard.error = explain_missing_package(error)
            if shard.error is None:
                raise
    return shard


def _load_once(key: str, transform: bytes, driver: DriverEnvironment) -> Transform[Any, Any]:
    """Return the transform, loaded by an earlier shard or now; that of an earlier work is given up first."""
    if key not in _transforms:
        silence_libraries()
        driver.require_same(read_versions())
        if os.path.isdir(driver.folder):  # noqa: PTH112  relative paths mean the driver's, where the disk is shared
            os.chdir(driver.folder)
        _transforms.clear()
        _transforms[key] = pickle.loads(transform)
    return _transforms[key]


@contextmanager
def _collect_warnings(messages: list[tuple[str, int, str]]) -> Iterator[None]:
    """Collect this package's warnings, which nobody would see on another machine."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if len(messages) < _MOST_MESSAGES:
                messages.append((record.name, record.levelno, record.getMessage()))

    collector, logger = Collector(logging.WARNING), logging.getLogger("cotpd")
    logger.addHandler(collector)
    try:
        yield
    finally:
        logger.removeHandler(collector)
