"""What is asked, and what asking came to."""

from dataclasses import dataclass, field
from typing import Any

from cotpd.data.records import Kind, Quarantined
from cotpd.llm.spending.budget import Budget
from cotpd.llm.transports.chat_client import UnansweredError


@dataclass(frozen=True, slots=True)
class Row:
    """What stays of a request: whose it is, and where its answer stands."""

    id: str
    kind: Kind
    key: str
    schema: dict[str, Any] | None = None
    limit: str = "ask.max_tokens"


@dataclass
class Asked:
    """What a round of asking came to; the answers themselves are in the ledger.

    Attributes:
        rows: Every request, in order.
        known: Keys that the ledger held before.
        asked: Calls that were answered.
        failed: Why a key has no answer.
        instead: The key of the answer where it was given without the schema that a server refused.
        budget: What was spent.
    """

    rows: list[Row] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    asked: int = 0
    failed: dict[str, UnansweredError] = field(default_factory=dict)
    instead: dict[str, str] = field(default_factory=dict)
    budget: Budget | None = None

    @property
    def from_ledger(self) -> int:
        """Requests that the ledger answered."""
        return sum(row.key in self.known for row in self.rows)

    def list_quarantined(self, step: str) -> list[Quarantined]:
        """The requests without an answer as rows of a quarantine table."""
        return [
            Quarantined(id=row.id, step=step, reason=error.reason, remedy=error.remedy, row={"kind": row.kind})
            for row in self.rows
            if (error := self.failed.get(row.key))
        ]
