"""The progress of long work: on a terminal a bar and a table of facts, elsewhere a line every half minute."""

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
        title: The name of the work.
        total: The count at its end; None if that is unknown.
        start: The count at its beginning.
        show: False shows nothing.
        in_bytes: Whether it counts bytes.
        facts: Returns named values to show beside the count, the time left among them; called whenever it is
            drawn. Without facts, the bar shows the time left.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        start: int = 0,
        *,
        show: bool = True,
        in_bytes: bool = False,
        facts: Callable[[], dict[str, str]] | None = None,
    ) -> None:
        self._title, self._total, self._count, self._show = title, total, start, show
        self._facts, self._in_bytes = facts or dict, in_bytes
        self._last = time.monotonic()
        counts: ProgressColumn = DownloadColumn() if in_bytes else MofNCompleteColumn()
        title_column = TextColumn(title.replace("{", "{{").replace("}", "}}"), markup=False)
        clock = [] if facts else [TimeRemainingColumn()]  # a second clock beside that of the facts would disagree
        columns = [title_column, BarColumn(), counts, *clock, TextColumn("{task.description}", markup=False)]
        self._bar = RichProgress(*columns)
        self._task = self._bar.add_task("", total=total, completed=start)
        console = SafeConsole(stderr=True)
        self._live = (
            Live(get_renderable=self._draw, console=console, transient=True)
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
        """Add to the count, and show a note beside it."""
        self._count += by
        if self._live:
            self._bar.update(self._task, advance=by, description=note)
        elif self._show and time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            facts = [f"{name} {value}" for name, value in self._facts().items()]
            warn(f"{self._title}: {', '.join([self._format_share(), *facts, *([note] if note else [])])}")

    @property
    def left(self) -> int | None:
        """The count that is still to come; None without a total."""
        return None if self._total is None else max(0, self._total - self._count)

    def _draw(self) -> RenderableType:
        """Return the bar, with a table of the facts below it if there are any."""
        facts = self._facts()
        if not facts:
            return self._bar.get_renderable()
        table = Table(*facts, box=None, header_style="dim")
        table.add_row(*facts.values())
        return Group(self._bar.get_renderable(), table)

    def _format_share(self) -> str:
        if self._total is None:
            return self._format_count(self._count)
        counts = f"{self._format_count(self._count)} of {self._format_count(self._total)}"
        return f"{counts} ({self._count / max(self._total, 1):.0%})"

    def _format_count(self, count: int) -> str:
        return f"{count / 1e6:,.1f} MB" if self._in_bytes else f"{count:,}"
