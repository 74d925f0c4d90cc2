"""The outcome of a session: which questions are answered, where from, and why others are not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cotpd.counts import format_count
from cotpd.data.records import Kind, Quarantined
from cotpd.errors import LlmError
from cotpd.llm.spending.budget import Budget


class UnansweredError(Exception):
    """One request has no answer, after all tries; the run goes on without it.

    Attributes:
        reason: What happened.
        remedy: What the user can do.
        transient: The server was at fault and not the request: the same request may succeed later.
        refused_field: The field of the body that the server refuses; empty if none is named.
    """

    def __init__(self, reason: str, remedy: str, *, transient: bool, refused_field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.transient = transient
        self.refused_field = refused_field

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the error with its keywords: it may come from another machine."""
        build = partial(UnansweredError, transient=self.transient, refused_field=self.refused_field)
        return build, (self.reason, self.remedy)


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """The part of a drawn question that stays in memory: its post, its draw, and the key of its request."""

    id: str
    kind: Kind
    key: str
    schema: dict[str, Any] | None = None
    limit: str = "ask.max_tokens"
    draw: int = 0


@dataclass
class AskingOutcome:
    """The questions of a session, and the failure of each unanswered one. The answers are in the ledger.

    Attributes:
        budget: What was spent.
        questions: Every question, in the order in which it was drawn.
        ledger_keys: Keys of requests that the ledger had answered before.
        from_server: Number of requests that the server answered.
        failures: Why a request, by key, has no answer.
        schemaless_keys: By the key of a request with a schema that the server refuses, the key of the same request
            without it, under which its answer is kept.
    """

    budget: Budget
    questions: list[AskedQuestion] = field(default_factory=list)
    ledger_keys: set[str] = field(default_factory=set)
    from_server: int = 0
    failures: dict[str, UnansweredError] = field(default_factory=dict)
    schemaless_keys: dict[str, str] = field(default_factory=dict)

    @property
    def from_ledger(self) -> int:
        """Number of questions that the ledger had answered before."""
        return sum(question.key in self.ledger_keys for question in self.questions)

    def list_quarantined(self, step: str) -> list[Quarantined]:
        """Return the questions without an answer as rows of a quarantine table."""
        rows = []
        for question in self.questions:
            if error := self.failures.get(question.key):
                row: dict[str, Any] = {"kind": question.kind}
                row |= {"draw": question.draw} if question.draw else {}
                rows.append(
                    Quarantined(id=question.id, step=step, reason=error.reason, remedy=error.remedy, row=row)
                )
        return rows


def require_answers(
    failed: Sequence[Quarantined], total: int, allowed: float, parameter: str, *, row: str = ""
) -> None:
    """Raise an LlmError if more than the allowed share of the requests has no answer.

    Args:
        failed: The questions without an answer.
        total: The number of questions.
        allowed: The share that may fail.
        parameter: Sets ``allowed``.
        row: The row of a result that the questions are for; "" for none.
    """
    if len(failed) <= allowed * total:
        return
    requests = format_count(total, "request")
    raise LlmError(
        f"{f'{row}: ' if row else ''}{len(failed)} of {requests} failed, first: {failed[0].reason}",
        f"{failed[0].remedy} Every answer so far is in the ledger; {parameter} may be raised.",
    )
