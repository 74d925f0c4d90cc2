"""What Prefect's UI shows of a run beside its logs: progress, cost so far, the scores, and where the results are.

Trade-off: the progress of a step is read from the lines that it prints (every half minute), so that a step needs
to know nothing of Prefect. Artifacts are for looking at: a failure to write one is logged and fails nothing.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

_LINE = re.compile(r"(?P<title>.{1,200}?): (?P<share>\d{1,3})% of \d+\. ?(?P<facts>.*)")  # of cotpd.progress


class StageArtifacts:
    """The artifacts of one stage's task.

    Args:
        name: The stage.
        root: The project's folder.
    """

    def __init__(self, name: str, root: Path) -> None:
        self._name, self._root = name, root
        self._bars: dict[str, UUID] = {}  # by the title of the work

    def watch(self, line: str) -> None:
        """Show the progress that a line of the step's output tells of, if it does."""
        match = _LINE.fullmatch(line)
        if match:
            show = partial(self._show_progress, match["title"], min(100, int(match["share"])), match["facts"])
            self._try(show)

    def complete(self) -> None:
        """Fill the bars and write the tables, once the stage has ended well."""
        for title, bar in self._bars.items():
            update_bar = partial(self._update, bar, 100, f"{self._name}: {title}: done")
            self._try(update_bar)
        self._try(self._write_tables)

    def _show_progress(self, title: str, share: int, facts: str) -> None:
        description = f"{self._name}: {title}. {facts}".strip()
        if title in self._bars:
            self._update(self._bars[title], share, description)
            return
        key = re.sub(r"[^a-z0-9]+", "-", f"progress-{self._name}-{title}".lower()).strip("-")
        bar = create_progress_artifact(progress=float(share), key=key, description=description)
        assert isinstance(bar, UUID)  # the call is a coroutine inside of an event loop alone
        self._bars[title] = bar

    def _update(self, bar: UUID, share: int, description: str) -> None:
        update_progress_artifact(bar, progress=float(share), description=description)

    def _write_tables(self) -> None:
        from flows.publishing import write_artifacts  # noqa: PLC0415  heavy, and a run with nothing to do needs none of it

        write_artifacts(self._name, self._root)

    def _try(self, write: Callable[[], object]) -> None:
        """Write an artifact; a run with its results must not fail because its picture does."""
        try:
            write()
        except Exception as error:  # the server's, the network's, or a file is not there
            get_run_logger().warning(f"{self._name}: an artifact is missing in the UI: {error}")
