"""What a step may spend: a hard stop in dollars and in tokens, kept by never sending what could go beyond it.

Trade-off: until its answer is there a request counts with the most that it can come to, a byte a token sent and
the whole length allowed to come back. Near the end fewer requests are therefore in flight; the limit holds. A
server that does not keep to the length is found out by its first answer, which a run with a limit waits for; from
then on requests count with the largest answer seen.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field

from cotpd.errors import ConfigError
from cotpd.llm.chat_request import ChatRequest, read_completion
from cotpd.llm.ledger.ledger import Entry
from cotpd.llm.params import LlmParams
from cotpd.llm.spending.prices import Price, find_price

log = logging.getLogger(__name__)

_A_REQUEST, _A_MESSAGE = 16, 16  # tokens that a chat template adds, at most
_A_PICTURE = (
    50_000  # tokens; twice of what gpt-4o-mini bills for a square of 768 pixels, and others bill far fewer
)
_LONGEST_TOKEN, _USUAL_TOKEN = 8, 3  # bytes of text a token, on average at most and as a rule
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


def compute_worst_case(call: ChatRequest) -> tuple[int, int]:
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
    _sent: int = 0  # tokens of the requests that are reserved
    _allowed: Counter[int] = field(default_factory=Counter)  # how many of them may be answered at what length
    _largest: int = 0  # tokens of the largest answer that was longer than allowed
    _added: int = 0  # tokens of a prompt beyond its worst case: what a server puts before it
    _measured: bool = False  # an answer has shown what this server's answers come to
    _in_flight: int = 0
    _settled: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    def from_params(cls, params: LlmParams) -> "Budget":
        """The budget that the parameters set.

        Raises:
            ConfigError: There is a limit in dollars and no price.
        """
        price = find_price(params)
        if params.max_cost is not None and price is None:
            raise ConfigError(
                f"llm.max_cost: no price is known for {params.model}",
                "Add it to a file that llm.prices names, or limit llm.max_tokens instead.",
            )
        return cls(price, params.max_cost, params.max_tokens)

    async def admit(self, call: ChatRequest) -> bool:
        """Reserve the most that a request can come to; waits for others where that could make room."""
        async with self._settled:
            while not self.over and (self._must_measure() or self._exceeded(call)):
                if not self._in_flight:
                    self.over = self._exceeded(call)
                    self._settled.notify_all()
                else:
                    await self._settled.wait()
            if not self.over:
                self._hold(call, 1)
                self._in_flight += 1
            return not self.over

    def reserve(self, call: ChatRequest) -> bool:
        """Reserve without waiting (batch mode); return False if the limit would be exceeded."""
        self.over = self.over or self._exceeded(call)
        if not self.over:
            self._hold(call, 1)
        return not self.over

    def lose(self, call: ChatRequest) -> str:
        """Count a try that was sent and brought no answer; returns why there must be no other, or nothing."""
        self._measured = True  # others do not wait for its next try
        sent, received = compute_worst_case(call)
        self._count(self.lost, sent + self._added, max(received, self._largest))
        return self._exceeded()  # the reservation, which stands, is now the next try's

    async def settle(self, call: ChatRequest, entry: Entry | None) -> None:
        """Replace a reservation by what the answer came to; None for a request that got none."""
        async with self._settled:
            self._in_flight -= 1
            self._hold(call, -1)
            if entry is not None:
                self.spend(call, entry)
            self._settled.notify_all()

    def spend(self, call: ChatRequest, entry: Entry) -> None:
        """Count what an answer came to; where the server does not say, the most that it can be."""
        sent, allowed = compute_worst_case(call)
        prompt = sent if entry.prompt_tokens is None else entry.prompt_tokens
        received = _estimate(entry, allowed) if entry.completion_tokens is None else entry.completion_tokens
        self._count(self.spent, prompt, received)
        self._added = max(self._added, prompt - sent)
        self._measured = True
        if received > max(allowed, self._largest):
            if not self._largest and allowed:
                log.warning(
                    "the server does not keep to the length of an answer: %d tokens were allowed and %d came; "
                    "from here on requests count with the largest answer seen",
                    allowed,
                    received,
                )
            self._largest = received

    def _must_measure(self) -> bool:
        """Whether the first answer has to show what this server's answers come to."""
        limited = self.max_cost is not None or self.max_tokens is not None
        return limited and not self._measured and self._in_flight > 0

    def _hold(self, call: ChatRequest, times: int) -> None:
        sent, received = compute_worst_case(call)
        self._sent += times * sent
        self._allowed[received] += times

    def _reserved(self, call: ChatRequest | None) -> Spent:
        """What is in flight can come to, a further call included, by what answers have come to so far."""
        sent, allowed = self._sent, Counter(self._allowed)
        if call is not None:
            more, received = compute_worst_case(call)
            sent, allowed[received] = sent + more, allowed[received] + 1
        reserved = Spent()
        prompt = sent + self._added * allowed.total()
        self._count(reserved, prompt, sum(max(most, self._largest) * times for most, times in allowed.items()))
        return reserved

    def _count(self, into: Spent, sent: int, received: int) -> None:
        into.prompt += sent
        into.completion += received
        into.cost += self.price.compute_cost(sent, received) if self.price else 0.0

    def _exceeded(self, call: ChatRequest | None = None) -> str:
        """Why a limit could be exceeded by what is in flight, with a further call; empty if it could not."""
        reserved = self._reserved(call)
        tokens = self.spent.tokens + self.lost.tokens + reserved.tokens
        if self.max_tokens is not None and tokens > self.max_tokens:
            lost = f" and at most {self.lost.tokens:,} of tries without an answer" if self.lost.tokens else ""
            return (
                f"llm.max_tokens ({self.max_tokens:,}) could be exceeded after {self.spent.tokens:,} tokens{lost}"
            )
        if self.max_cost is not None and self.price:
            cost = self.spent.cost + self.lost.cost + reserved.cost
            if cost > self.max_cost + 1e-12:
                lost = f" and at most ${self.lost.cost:,.4f} of tries without an answer" if self.lost.cost else ""
                return (
                    f"llm.max_cost (${self.max_cost:,.4g}) could be exceeded after ${self.spent.cost:,.4f}{lost}"
                )
        return ""


def _estimate(entry: Entry, allowed: int) -> int:
    """Tokens of an answer that the server does not count: what was allowed, unless its text is longer."""
    length = len(read_completion(entry.response).text.encode("utf-8", "replace"))
    return allowed if length <= _LONGEST_TOKEN * allowed else length // _USUAL_TOKEN
