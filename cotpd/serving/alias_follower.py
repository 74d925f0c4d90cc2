"""A thread that watches an alias: the version that it moves to is loaded beside the old one, then takes its place.

Whatever goes wrong, the old version goes on answering, and `/readyz`, the metrics and the log say why.
"""

import re
import threading
import time
from collections.abc import Callable
from typing import Any

from cotpd.errors import CotpdError, ModelError
from cotpd.escaping import warn
from cotpd.registry.alias_target import AliasTarget
from cotpd.serving.micro_batches import MicroBatcher
from cotpd.serving.served_version import ServedVersion
from cotpd.serving.service_metrics import ServiceMetrics

RETRY_SECONDS = 60.0  # before a version that was refused is tried again; its files may have been restored
_STALE_POLLS = 5  # that a registry may hang before its silence is a problem


class AliasFollower:
    """Follows one alias.

    Args:
        target: The alias.
        load: Loads the version of a number.
        batcher: Predicts with the version that answers.
        metrics: Count reloads.
        poll_seconds: Between two looks at the alias.
    """

    def __init__(
        self,
        target: AliasTarget,
        load: Callable[[int], ServedVersion],
        batcher: MicroBatcher,
        metrics: ServiceMetrics,
        poll_seconds: float,
    ) -> None:
        self._target, self._load, self._batcher, self._metrics = target, load, batcher, metrics
        self._poll_seconds = poll_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cotpd-follow", daemon=True)
        self._problem = ""
        self._checked = time.monotonic()
        self._refused: int | None = None
        self._retry_at = 0.0

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End without waiting: a registry may hang, and the thread ends with the process."""
        self._ended.set()

    def describe(self) -> dict[str, Any]:
        """Return the alias, whether it is followed, and if not, why."""
        silence = time.monotonic() - self._checked
        problem = self._problem
        if not problem and silence > self._poll_seconds * _STALE_POLLS + 10:
            problem = f"the registry has not answered for {silence:.0f} seconds"
        alias = f"models:/{self._target.name}@{self._target.alias}"
        return {"alias": alias, "followed": not problem, "problem": problem or None}

    def check(self) -> None:
        """Look at the alias once, and follow it if it has moved."""
        try:
            number = self._target.read_number()
        except Exception as error:
            self._report("the registry does not answer", error)
            return
        self._checked = time.monotonic()
        if number is None:
            self._report("the alias is gone", None)
        elif str(number) == self._batcher.version.version:
            self._refused = None
            self._report("", None)
        elif number != self._refused or time.monotonic() >= self._retry_at:
            self._take_version(number)

    def _run(self) -> None:
        while not self._ended.wait(self._poll_seconds):
            self.check()

    def _take_version(self, number: int) -> None:
        try:
            version = self._load(number)
            _require_task(version, self._batcher.version)
        except Exception as error:
            self._refused, self._retry_at = number, time.monotonic() + RETRY_SECONDS
            self._metrics.record_reload("refused")
            self._report(f"version {number} could not be loaded", error)
            return
        self._batcher.swap(version)
        self._metrics.record_model(**version.describe())
        self._metrics.record_reload("swapped")
        self._checked = time.monotonic()
        warn(f"{version.name} version {number} ({version.predictor.backend}) answers from now on")
        self._refused = None
        self._report("", None)

    def _report(self, problem: str, error: Exception | None) -> None:
        """Set the problem, and log it once, with the error's own words."""
        current = self._batcher.version.version
        text = f"{problem}{_summarize(error)}; version {current} goes on answering" if problem else ""
        if text != self._problem and problem:
            detail = "" if error is None else f": {error}"
            warn(f"warning: {problem}{detail}; version {current} goes on answering")
        self._problem = text
        self._metrics.record_alias(not problem)


def _require_task(version: ServedVersion, current: ServedVersion) -> None:
    """Refuse a version that reads other requests than the one before it.

    Raises:
        ModelError: Its task is another one.
    """
    if version.task != current.task:
        raise ModelError(
            f"it is a model of {version.task}, and this server was started for {current.task}",
            "Start a server for it.",
        )


def _summarize(error: Exception | None) -> str:
    """Return an error as `/readyz` may say it, without folders and addresses, which may hold passwords."""
    if not isinstance(error, CotpdError):
        return "" if error is None else f" ({type(error).__name__})"
    text = re.sub(r"\S+://\S*", "…", error.problem)
    names = re.sub(r"(?<![:.\w])/(?:[^/\s]+/)*", "", text)
    return f" ({names})"
