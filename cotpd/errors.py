"""The errors a user is meant to read: each names what is wrong, where, and what to do about it."""

from collections.abc import Sequence
from typing import Any


class CotpdError(Exception):
    """An error with a remedy; the command line prints it without a traceback and exits with 1.

    Args:
        problem: What is wrong, naming the file, line or key.
        remedy: What the user can do about it, as a sentence; empty if nothing can be said.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        # A file's name or a JSON escape may hold half a character, which no output could print.
        self.problem, self.remedy = (text.encode("utf-8", "replace").decode() for text in (problem, remedy))
        super().__init__(f"{self.problem}\n  {self.remedy}" if remedy else self.problem)


class ConfigError(CotpdError):
    """params.yaml, or another configuration file, says something that it cannot mean."""


class DataError(CotpdError):
    """A data set, or a table between two steps, cannot be read."""


class ModelError(CotpdError):
    """Weights cannot be had, are damaged, or belong to another model."""


class LlmError(CotpdError):
    """The language model could not be asked, or answered too little."""


class StorageError(CotpdError):
    """A file could not be written: the disk or its quota is full."""


class ValidationError(CotpdError):
    """More rows failed their checks than the configuration allows.

    Args:
        problem, remedy: As ever.
        rows: The failing rows, for whoever keeps them in quarantine.
    """

    def __init__(self, problem: str, remedy: str = "", rows: Sequence[Any] = ()) -> None:
        super().__init__(problem, remedy)
        self.rows = rows
