"""The gate's verdict on a version: each rule with its figures, and all that they rest on.

The keys are an interface: `cotpd promote --json` prints them, and the history of a registered model keeps them.
``format`` is raised when one changes its meaning.
"""

from collections.abc import Sequence
from typing import Any, Literal

from cotpd.data.records import Record

Status = Literal["passed", "failed", "skipped"]


class RuleResult(Record):
    """One rule on one subject; figures that it does not have are None.

    Attributes:
        rule: labels, posts, score, types, slices, calibration, time, memory, data, leak or card.
        subject: The entity type, relation label or slice; the kind of leak; the table; empty otherwise.
        status: A skipped rule has nothing to judge, or is off; it does not refuse.
        challenger, champion: The figure of each.
        difference: The challenger's less the champion's; for time and memory the quotient.
        low, high: The interval of the difference; each end holds at the stated confidence.
        bound: What the difference (or its interval) was compared with.
        support: Gold labels, scored predictions, posts or rows that the figures rest on.
        explanation: A sentence with the figures.
    """

    rule: str
    subject: str = ""
    status: Status
    challenger: float | None = None
    champion: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    support: int | None = None
    explanation: str = ""

    @property
    def title(self) -> str:
        """The rule, and its subject if it has one."""
        return f"{self.rule}: {self.subject}" if self.subject else self.rule


class Verdict(Record):
    """The gate's verdict on a challenger: the result of every rule.

    Attributes:
        name: The registered model.
        challenger: The version judged.
        champion: The champion's version when the gate read it; None if there was none.
        reference: What the challenger was compared with: the champion's address, or the baseline's.
        passed: Whether no rule failed.
        results: Every rule.
        confidence: One-sided, of each end of an interval.
        posts: Where the held-out posts came from.
        posts_sha256: The digest of their table.
        posts_count: How many there are.
        rules_source: The file of the rules.
        rules_sha256: The digest of that file.
        rules: The rules as they were applied.
        backend: What ran the challenger.
        notes: Further sentences: warnings about the data, for example.
        score_name: What the task calls its leading score.
    """

    format: Literal[1] = 1
    name: str
    challenger: int
    champion: int | None
    reference: str
    passed: bool
    results: tuple[RuleResult, ...]
    confidence: float
    posts: str
    posts_sha256: str
    posts_count: int
    rules_source: str
    rules_sha256: str
    rules: dict[str, Any]
    backend: str = ""
    notes: tuple[str, ...] = ()
    score_name: str = "F1"

    def list_failures(self) -> list[RuleResult]:
        """Return the rules that failed."""
        return [result for result in self.results if result.status == "failed"]


def fail(rule: str, explanation: str, subject: str = "") -> RuleResult:
    """Return a rule that failed without a figure."""
    return RuleResult(rule=rule, subject=subject, status="failed", explanation=explanation)


def skip(rule: str, explanation: str, subject: str = "") -> RuleResult:
    """Return a rule that has nothing to judge."""
    return RuleResult(rule=rule, subject=subject, status="skipped", explanation=explanation)


def has_passed(results: Sequence[RuleResult]) -> bool:
    """Whether no rule failed."""
    return all(result.status != "failed" for result in results)
