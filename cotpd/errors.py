"""The errors that a user is meant to read: each names a problem, where it is, and a remedy.

::

    CotpdError                  printed without a traceback; exit status 1
    ├── ConfigError             a parameter, prompt, price file or option means nothing that can be done
    ├── DataError               a data set, a table between two steps, or a file of the user's cannot be read
    ├── ModelError              weights or a registered version are missing, damaged, or of another model
    │   └── ChampionMovedError  (cotpd.registry) the champion is not the one on which the decision rests
    ├── LlmError                the language model could not be asked, or answered too little
    │   ├── RowError            (cotpd.llm.ledger) one row of the ledger is damaged
    │   ├── DiskFullError       (cotpd.llm.ledger) the ledger has no room for an answer
    │   └── QueueFullError      (cotpd.llm.transports) the server's queue takes no further batch job
    ├── StorageError            the disk or its quota is full
    └── ValidationError         more rows failed their checks than the parameters allow

Anything else that reaches the user is a fault of this software, and is shown with its traceback.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cotpd.passwords import hide_passwords

_PROJECT = "params.yaml"  # each project's folder has one


class CotpdError(Exception):
    """An error with a remedy; the command line prints it without a traceback and exits with 1.

    Passwords in addresses are hidden: a driver's message may repeat the address that it was given.

    Args:
        problem: The problem, with the file, line or key that has it.
        remedy: The user's next action, as a sentence; empty if there is none.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        # A file's name or a JSON escape may hold half a character, on which printing would fail.
        self.problem, self.remedy = (
            hide_passwords(text.encode("utf-8", "replace").decode()) for text in (problem, remedy)
        )
        super().__init__(f"{self.problem}\n  {self.remedy}" if remedy else self.problem)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle problem and remedy: a worker's error is raised again in the process that sent the work."""
        return type(self), (self.problem, self.remedy), self.__dict__


class ConfigError(CotpdError):
    """A parameter, a prompt, a price file or an option means nothing that can be done."""


class DataError(CotpdError):
    """A data set, a table between two steps, or a file of the user's cannot be read."""


class ModelError(CotpdError):
    """Weights or a registered version are missing, damaged, or belong to another model."""


class LlmError(CotpdError):
    """The language model could not be asked, or answered too little."""


class StorageError(CotpdError):
    """A file could not be written: the disk or its quota is full."""


class ValidationError(CotpdError):
    """More rows failed their checks than the parameters allow.

    Args:
        problem, remedy: As for every error.
        rows: The failing rows, to be written into a quarantine table.
    """

    def __init__(self, problem: str, remedy: str = "", rows: Sequence[Any] = ()) -> None:
        super().__init__(problem, remedy)
        self.rows = rows


def find_remedy_in_project(remedy: str) -> str:
    """Return the remedy for a missing file of a project; outside of any project, where to go instead."""
    if Path(_PROJECT).exists():
        return remedy
    return (
        f"This folder is no project, as it holds no {_PROJECT}: {Path.cwd()}\n"
        "  Run it in the project's folder. `cotpd init my-project` makes a new one."
    )
