"""How far long work has come: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_EVERY = 30.0  # seconds between two lines where there is no terminal


class Asking:
    """Counts answers; a context manager.

    Args:
        total: Requests in all.
        from_ledger: How many of them need not be asked.
        show: Whether anything is shown at all.
    """

    def __init__(self, total: int, from_ledger: int, *, show: bool) -> None:
        self.total, self.from_ledger, self.answered, self.failed = total, from_ledger, 0, 0
        self._show = show
        self._last = time.monotonic()
        columns = TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._bar = Progress(
            *columns, TextColumn("{task.description}"), console=Console(stderr=True), transient=True
        )
        self._task = self._bar.add_task("", total=total, completed=from_ledger)
        self._live = show and self._bar.console.is_terminal

    def __enter__(self) -> Self:
        if self._live:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bar.stop()

    def count(self, *, failed: bool = False) -> None:
        """One more request is done with."""
        self.failed += failed
        self.answered += not failed
        if self._live:
            self._bar.update(self._task, advance=1, description=self._counts())
        elif self._show and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            print(f"{self._counts()} of {self.total}", file=sys.stderr, flush=True)

    def _counts(self) -> str:
        return f"{self.from_ledger} from the ledger, {self.answered} answered, {self.failed} failed"
