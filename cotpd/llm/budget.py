"""What a step may spend: a hard stop in dollars and in tokens, kept by never sending what could go beyond it.

Trade-off: until its answer is there a request counts with the most that it can come to, a byte a token sent and
the whole length allowed to come back. Near the end fewer requests are therefore in flight; the limit holds.
"""

import asyncio
from dataclasses import dataclass, field

from cotpd.config import LlmParams
from cotpd.errors import ConfigError
from cotpd.llm.ledger import Entry
from cotpd.llm.prices import Price, price_of
from cotpd.llm.wire import Call

_A_REQUEST, _A_MESSAGE = 16, 16  # tokens that a chat template adds, at most
_A_PICTURE = (
    50_000  # tokens; twice of what gpt-4o-mini bills for a square of 768 pixels, and others bill far fewer
)
RAISE = "Raise the limit, or run again: each run of a step has its own."


@dataclass
class Spent:
    """Tokens and dollars; dollars stay 0 where there is no price."""

    prompt: int = 0
    completion: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Sent and received."""
        return self.prompt + self.completion


def worst_case(call: Call) -> tuple[int, int]:
    """The most tokens that a request can send and get: a byte a token, as of texts that no vocabulary knows.

    A picture is counted by what the dearest model takes for one, whatever its bytes.
    """
    pictures = call.pictures
    sent = len(call.text.encode("utf-8", "surrogatepass")) - sum(map(len, pictures))
    sent += _A_PICTURE * len(pictures)
    return sent + _A_REQUEST + _A_MESSAGE * len(call.body["messages"]), call.most


@dataclass
class Budget:
    """The limits of one step, what it has spent, and what is in flight.

    Attributes:
        price: Of the model; None where nobody knows it.
        max_cost, max_tokens: The limits; None for none.
        spent: What answers came to, by their servers' own count.
        lost: The most that tries without an answer came to (a time-out, a lost connection): they may be billed.
        over: Why nothing more is sent; empty while there is room.
    """

    price: Price | None
    max_cost: float | None = None
    max_tokens: int | None = None
    spent: Spent = field(default_factory=Spent)
    lost: Spent = field(default_factory=Spent)
    over: str = ""
    _reserved: Spent = field(default_factory=Spent)
    _in_flight: int = 0
    _settled: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    def of(cls, params: LlmParams) -> "Budget":
        """The budget that the parameters set.

        Raises:
            ConfigError: There is a limit in dollars and no price.
        """
        price = price_of(params)
        if params.max_cost is not None and price is None:
            raise ConfigError(
                f"llm.max_cost: no price is known for {params.model}",
                "Add it to a file that llm.prices names, or limit llm.max_tokens instead.",
            )
        return cls(price, params.max_cost, params.max_tokens)

    async def admit(self, call: Call) -> bool:
        """Reserve the most that a request can come to; waits for others where that could make room."""
        sent, received = worst_case(call)
        async with self._settled:
            while not self.over and (reason := self._exceeded(sent, received)):
                if not self._in_flight:
                    self.over = reason
                    self._settled.notify_all()
                else:
                    await self._settled.wait()
            if not self.over:
                self._count(self._reserved, sent, received)
                self._in_flight += 1
            return not self.over

    def reserve(self, call: Call) -> bool:
        """Like :meth:`admit`, for who waits for nobody."""
        sent, received = worst_case(call)
        self.over = self.over or self._exceeded(sent, received)
        if not self.over:
            self._count(self._reserved, sent, received)
        return not self.over

    def lose(self, call: Call) -> str:
        """Count a try that was sent and brought no answer; returns why there must be no other, or nothing."""
        self._count(self.lost, *worst_case(call))
        return self._exceeded(0, 0)  # the reservation, which stands, is now the next try's

    async def settle(self, call: Call, entry: Entry | None) -> None:
        """Replace a reservation by what the answer came to; None for a request that got none."""
        sent, received = worst_case(call)
        async with self._settled:
            self._in_flight -= 1
            self._count(self._reserved, -sent, -received)
            if entry is not None:
                self.spend(call, entry)
            self._settled.notify_all()

    def spend(self, call: Call, entry: Entry) -> None:
        """Count what an answer came to; where the server does not say, the most that it can be."""
        sent, received = worst_case(call)
        sent = sent if entry.prompt_tokens is None else entry.prompt_tokens
        received = received if entry.completion_tokens is None else entry.completion_tokens
        self._count(self.spent, sent, received)

    def _count(self, into: Spent, sent: int, received: int) -> None:
        into.prompt += sent
        into.completion += received
        into.cost += self.price.of(sent, received) if self.price else 0.0

    def _exceeded(self, sent: int, received: int) -> str:
        tokens = self.spent.tokens + self.lost.tokens + self._reserved.tokens + sent + received
        if self.max_tokens is not None and tokens > self.max_tokens:
            lost = f" and at most {self.lost.tokens:,} of tries without an answer" if self.lost.tokens else ""
            return (
                f"llm.max_tokens ({self.max_tokens:,}) could be exceeded after {self.spent.tokens:,} tokens{lost}"
            )
        if self.max_cost is not None and self.price:
            cost = self.spent.cost + self.lost.cost + self._reserved.cost + self.price.of(sent, received)
            if cost > self.max_cost + 1e-12:
                lost = f" and at most ${self.lost.cost:,.4f} of tries without an answer" if self.lost.cost else ""
                return (
                    f"llm.max_cost (${self.max_cost:,.4g}) could be exceeded after ${self.spent.cost:,.4f}{lost}"
                )
        return ""
