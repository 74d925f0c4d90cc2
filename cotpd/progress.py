"""How far long work has come: a bar on a terminal, a table below it if wanted; elsewhere a line now and then."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Table

from cotpd.escaping import SafeConsole, warn

_EVERY = 30.0  # seconds between two lines where there is no terminal


class Progress:
    """A count that grows to a total; a context manager, written to stderr.

    Args:
        title: What is being done.
        total: Where it ends; None where nobody knows yet.
        done: Where it starts.
        show: Whether anything is shown at all.
        in_bytes: Whether it counts bytes.
        facts: Named values that are shown beside the count, asked for whenever it is drawn.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        done: int = 0,
        *,
        show: bool = True,
        in_bytes: bool = False,
        facts: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._title, self._total, self._done, self._show = title, total, done, show
        self._facts = facts
        self._last = time.monotonic()
        counts: ProgressColumn = DownloadColumn() if in_bytes else MofNCompleteColumn()
        title_column = TextColumn(title.replace("{", "{{").replace("}", "}}"), markup=False)
        columns = (
            title_column,
            BarColumn(),
            counts,
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
        )
        self._bar = RichProgress(*columns)
        self._task = self._bar.add_task("", total=total, completed=done)
        console = SafeConsole(stderr=True)
        self._live = (
            Live(get_renderable=self._drawn, console=console, transient=True)
            if show and console.is_terminal
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def advance(self, by: int = 1, note: str = "") -> None:
        """Count on; the note is shown beside the count."""
        self._done += by
        if self._live:
            self._bar.update(self._task, advance=by, description=note)
        elif self._show and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            said = [f"{name} {value}" for name, value in self._facts().items()] + [note] * bool(note)
            line = f"{self._title}: {self._share()}. {', '.join(said)}".rstrip()
            warn(line)

    @property
    def left(self) -> int | None:
        """What is still to do; None where nobody knows the total."""
        return None if self._total is None else max(0, self._total - self._done)

    def _drawn(self) -> RenderableType:
        if not (facts := self._facts()):
            return self._bar.get_renderable()
        table = Table(*facts, box=None, header_style="dim")
        table.add_row(*facts.values())
        return Group(self._bar.get_renderable(), table)

    def _share(self) -> str:
        if self._total is None:
            return f"{self._done}"
        return f"{self._done / max(self._total, 1):.0%} of {self._total}"
