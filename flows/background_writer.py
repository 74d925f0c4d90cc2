"""Write a run's artifacts beside its work: no step waits for Prefect's server, not even for one that hangs.

Trade-off: of several values of one artifact that wait, only the newest is written, so that what waits stays small
however long the server is away. What the server has not taken soon after the end of the run is not shown.
"""

import threading
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Self

from prefect import get_run_logger
from prefect.context import SyncClientContext
from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from cotpd.passwords import hide_passwords

_TIMEOUT = 10.0  # seconds for one request; Prefect's own is a minute, with five more tries after it
_LAST_WORDS = 10.0  # seconds at the end of a run for what still waits

Write = Callable[[], object]


class BackgroundWriter:
    """Writes one thing after the other in a thread of its own; a context manager, whose end waits a while."""

    def __init__(self) -> None:
        self._pending: dict[str, Write] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_writing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):  # a run that is being stopped has no time for it
            self.finish(_LAST_WORDS)

    def submit(self, name: str, write: Write) -> None:
        """Have a function called soon, in the run and task of the caller.

        Args:
            name: What it writes; it replaces a function of this name that still waits.
            write: Writes it. An error is logged: a run with its results must not fail because its picture does.
        """
        context = copy_context()
        with self._changed:
            self._pending[name] = lambda: context.run(_write_or_warn, name, write)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="artifacts", daemon=True)
                self._thread.start()

    def finish(self, seconds: float) -> bool:
        """Wait until all is written, at most some seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, seconds)

    def _is_idle(self) -> bool:
        return not self._pending and not self._is_writing

    def _work(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._pending)
                write = self._pending.pop(next(iter(self._pending)))
                self._is_writing = True
            write()


def _write_or_warn(name: str, write: Write) -> None:
    """Call a function with a client of its own, as that of the caller's task is closed when the task has ended."""
    limits = {PREFECT_API_REQUEST_TIMEOUT: _TIMEOUT, PREFECT_CLIENT_MAX_RETRIES: 0}
    SyncClientContext.__var__.set(None)  # type: ignore[arg-type]  # or the caller's client would be taken again
    try:
        with temporary_settings(limits), SyncClientContext():
            write()
    except Exception as error:  # the server's or the network's
        get_run_logger().warning(hide_passwords(f"{name}: an artifact is missing in the UI: {error}"))
