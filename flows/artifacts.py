"""The artifacts of a run in Prefect's UI: progress, cost so far, the scores, and where the results are.

Trade-off: the progress of a step is read from the lines that it prints (every half minute), so that a step needs
to know nothing of Prefect. Artifacts are for looking at: a failure to write one is logged and fails nothing.
"""

import re
from functools import partial
from pathlib import Path
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_progress_artifact, update_progress_artifact

from cotpd.passwords import hide_passwords
from flows.background_writer import BackgroundWriter

_COUNT = r"[\d,.]+(?: MB)?"
_LINE = re.compile(  # of cotpd.progress
    rf"(?P<title>.{{1,200}}?): {_COUNT} of {_COUNT} \((?P<share>\d{{1,3}})%\)(?:, (?P<facts>.+))?"
)
_EPOCH = re.compile(r"epoch (\d+) of (\d+)")  # a title of a training, which has one bar for all of its epochs


class StageArtifacts:
    """The artifacts of one stage's task.

    Args:
        name: The stage.
        root: The project's folder.
        writer: Sends them to the server.
    """

    def __init__(self, name: str, root: Path, writer: BackgroundWriter) -> None:
        self._name, self._root, self._writer = name, root, writer
        self._titles: list[str] = []
        self._bars: dict[str, UUID] = {}  # by the title of the work; of the writer's thread alone

    def watch(self, line: str) -> None:
        """Show the progress that a line of the step's output tells of, if it does."""
        match = _LINE.fullmatch(line)
        if match:
            title, share, facts = match["title"], min(100, int(match["share"])), match["facts"] or ""
            if epoch := _EPOCH.fullmatch(title):
                share = (100 * (int(epoch[1]) - 1) + share) // max(1, int(epoch[2]))
                title, facts = "epochs", f"{title}. {facts}".strip()
            self._titles += [title] * (title not in self._titles)
            self._submit_progress(title, min(100, share), facts)

    def complete(self) -> None:
        """Fill the bars and write the tables, once the stage has ended well."""
        for title in self._titles:
            self._submit_progress(title, 100, "Done.")
        try:
            self._submit_tables()
        except Exception as error:  # a file is not there, or cannot be read
            get_run_logger().warning(hide_passwords(f"{self._name}: an artifact is missing in the UI: {error}"))

    def _submit_progress(self, title: str, share: int, facts: str) -> None:
        description = f"{self._name}: {title}. {facts}".strip()
        self._writer.submit(f"{self._name}: {title}", partial(self._show_progress, title, share, description))

    def _show_progress(self, title: str, share: int, description: str) -> None:
        if title in self._bars:
            update_progress_artifact(self._bars[title], progress=float(share), description=description)
            return
        key = re.sub(r"[^a-z0-9]+", "-", f"progress-{self._name}-{title}".lower()).strip("-")
        bar = create_progress_artifact(progress=float(share), key=key, description=description)
        assert isinstance(bar, UUID)  # the call is a coroutine inside of an event loop alone
        self._bars[title] = bar

    def _submit_tables(self) -> None:
        from flows.publishing import make_artifacts  # noqa: PLC0415  heavy, and a run with nothing to do needs none of it

        for key, write in make_artifacts(self._name, self._root):
            self._writer.submit(f"{self._name}: {key}", write)
