"""How far long work has come: a bar on a terminal, elsewhere a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

_EVERY = 30.0  # seconds between two lines where there is no terminal


class Progress:
    """A count that grows to a total; a context manager, written to stderr.

    Args:
        title: What is being done.
        total: Where it ends; None where nobody knows yet.
        done: Where it starts.
        show: Whether anything is shown at all.
        in_bytes: Whether it counts bytes.
    """

    def __init__(
        self, title: str, total: int | None, done: int = 0, *, show: bool = True, in_bytes: bool = False
    ) -> None:
        self._title, self._total, self._done, self._show = title, total, done, show
        self._last = time.monotonic()
        counts: ProgressColumn = DownloadColumn() if in_bytes else MofNCompleteColumn()
        columns = TextColumn(title), BarColumn(), counts, TimeRemainingColumn(), TextColumn("{task.description}")
        self._bar = RichProgress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=total, completed=done)
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

    def advance(self, by: int = 1, note: str = "") -> None:
        """Count on; the note is shown beside the count."""
        self._done += by
        if self._live:
            self._bar.update(self._task, advance=by, description=note)
        elif self._show and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            print(f"{self._title}: {self._share()}. {note}".rstrip(), file=sys.stderr, flush=True)

    def _share(self) -> str:
        if self._total is None:
            return f"{self._done}"
        return f"{self._done / max(self._total, 1):.0%} of {self._total}"
