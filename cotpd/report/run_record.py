"""The record of a run that the evaluate step writes beside the scores, for the run's page.

There is no clock in it and no path of the machine: two runs of one commit give the same bytes.
"""

from pathlib import PurePath
from typing import Any

from cotpd.data.data_checks import CheckedTable
from cotpd.data.records import Record, TaskName

RUN_RECORD = "run.json"  # in the folder of an evaluation


class Setting(Record):
    """A parameter that decides how a run comes out, its value, and the default."""

    name: str
    value: Any
    default: Any

    @property
    def is_changed(self) -> bool:
        """Whether the value is another than the default."""
        return bool(self.value != self.default)


class Model(Record):
    """A model of the run: its part in it, its name, and the fingerprint of its training."""

    role: str
    name: str
    fingerprint: str = ""


class TableDigest(Record):
    """A table that the run was made from: its rows and the sha256 of its bytes."""

    name: str
    rows: int
    sha256: str


class PromptText(Record):
    """A prompt as it was asked, by its set and kind."""

    name: str
    text: str


class SourceCost(Record):
    """The cost of one source's answers, with tokens as the server counted them.

    ``dollars`` is None if no price is known; ``uncounted`` answers came without a count of tokens.
    """

    source: str
    answers: int
    sent: int
    received: int
    uncounted: int = 0
    dollars: float | None = None


class RunRecord(Record):
    """The settings, counts and costs of a run that its page shows."""

    task: TaskName
    commit: str = ""
    """Empty outside a git checkout."""
    is_changed: bool = False
    """Whether files differed from the commit."""
    models: tuple[Model, ...] = ()
    settings: tuple[Setting, ...] = ()
    tables: tuple[TableDigest, ...] = ()
    prompts: tuple[PromptText, ...] = ()
    costs: tuple[SourceCost, ...] = ()
    cost_note: str = ""
    """At which prices, or why no cost is known."""
    checks: tuple[CheckedTable, ...] = ()
    warnings: tuple[str, ...] = ()


def hide_machine_path(value: Any) -> Any:
    """Return a value with the name alone of a file or folder that it gives by its full path."""
    if isinstance(value, list | tuple):
        return [hide_machine_path(item) for item in value]
    if isinstance(value, dict):
        return {key: hide_machine_path(item) for key, item in value.items()}
    is_path = isinstance(value, str) and PurePath(value).is_absolute()
    return PurePath(value).name if is_path else value
