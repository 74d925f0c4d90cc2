"""The findings of checks, and a guard by which no check ends the program."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from cotpd.errors import CotpdError
from cotpd.passwords import hide_passwords


class Status(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    NOTE = "note"
    """Something is missing or unusual, and a run does not need it."""
    PROBLEM = "problem"
    """It would stop a run."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: The part of the machine or the project, a word or two.
        status: How much it matters.
        message: What is the case.
        remedy: What to do; empty where nothing is to be done.
    """

    area: str
    status: Status
    message: str
    remedy: str = ""


Check = Callable[[], Iterable[Finding]]


def run_checks(checks: Iterable[tuple[str, Check]]) -> Iterator[Finding]:
    """Run named checks one after the other and yield what they find, without passwords in addresses.

    An error of one is a finding of its own, so that it hides nothing that the others find.
    """
    for area, check in checks:
        try:
            yield from map(_hide_passwords, check())
        except CotpdError as error:
            yield Finding(area, Status.PROBLEM, error.problem, error.remedy)
        except Exception as error:  # whatever a broken installation raises
            problem = f"cannot be checked: {type(error).__name__}: {error}"
            yield _hide_passwords(Finding(area, Status.PROBLEM, problem))


def _hide_passwords(finding: Finding) -> Finding:
    return replace(finding, message=hide_passwords(finding.message), remedy=hide_passwords(finding.remedy))
