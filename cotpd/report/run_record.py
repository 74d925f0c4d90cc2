"""What was run, as the evaluate step notes it beside the scores: the page of the run is built from it later.

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
    """What the answers of one source cost; the tokens as the server counted them.

    ``dollars`` is None if no price is known; ``uncounted`` answers came without a count of tokens.
    """

    source: str
    answers: int
    sent: int
    received: int
    uncounted: int = 0
    dollars: float | None = None


class RunRecord(Record):
    """All that a page says about what was run."""

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
