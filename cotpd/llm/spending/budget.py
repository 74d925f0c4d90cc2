"""A step's hard limits in dollars and in tokens: a request that could exceed one is not sent.

Trade-off: until its answer arrives, a request counts with its worst case: a token a byte sent, and the whole
length allowed to come back. Near the limit fewer requests are therefore in flight, and the limit holds. A server
that exceeds the allowed length is noticed at its first answer, which a run with a limit waits for; from then on
requests count with the largest answer seen.
"""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cotpd.errors import ConfigError
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.completion import read_completion
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.params import LlmParams
from cotpd.llm.spending.prices import Price, find_price

log = logging.getLogger(__name__)

_TOKENS_PER_REQUEST, _TOKENS_PER_MESSAGE = 16, 16  # that a chat template adds, at most
_TOKENS_PER_PICTURE = 50_000  # twice what gpt-4o-mini bills for a square of 768 pixels; others bill far fewer
_MAX_BYTES_PER_TOKEN, _BYTES_PER_TOKEN = 8, 3  # of text, as a mean: the largest, and the usual one
RAISE_LIMIT = "Raise the limit, or run again: each run of a step has its own."


@dataclass
class Spent:
    """Tokens and dollars; dollars stay 0 without a price."""

    prompt: int = 0
    completion: int = 0
    cost: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens sent and received."""
        return self.prompt + self.completion


def compute_worst_case(request: ChatRequest) -> tuple[int, int]:
    """Return the most tokens that a request can send and receive.

    Text counts a token a byte, as in a script that is missing from the model's vocabulary. A picture counts what
    the most expensive model takes for one, whatever its size in bytes.
    """
    pictures = request.picture_urls
    sent = len(request.text.encode("utf-8", "surrogatepass")) - sum(map(len, pictures))
    sent += _TOKENS_PER_PICTURE * len(pictures)
    return sent + _TOKENS_PER_REQUEST + _TOKENS_PER_MESSAGE * len(
        request.body["messages"]
    ), request.max_answer_tokens


@dataclass
class Budget:
    """The limits of one step, what it has spent, and what is in flight.

    Attributes:
        price: The model's price; None if it is not known.
        max_cost: The limit in dollars; None for none.
        max_tokens: The limit in tokens sent and received; None for none.
        spent: Tokens and dollars of the answers, by the server's own count.
        lost: The worst case of tries without an answer (a time-out, a lost connection), which may be billed too.
        excess: Why nothing more is sent; empty while there is room.
    """

    price: Price | None
    max_cost: float | None = None
    max_tokens: int | None = None
    spent: Spent = field(default_factory=Spent)
    lost: Spent = field(default_factory=Spent)
    excess: str = ""
    _reserved_prompt: int = 0  # tokens of the prompts that are reserved
    # number of reserved requests, by allowed length
    _reserved_lengths: Counter[int] = field(default_factory=Counter)
    _largest_answer: int = 0  # tokens of the largest answer that was longer than allowed
    _hidden_prompt: int = 0  # tokens that the server adds to a prompt, beyond its worst case
    _is_measured: bool = False  # an answer has shown whether the server keeps to the allowed length
    _in_flight: int = 0
    _settled: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    def from_params(cls, params: LlmParams) -> "Budget":
        """Return the budget that the parameters set.

        Raises:
            ConfigError: A limit in dollars is set, and the model's price is not known.
        """
        price = find_price(params)
        if params.max_cost is not None and price is None:
            raise ConfigError(
                f"llm.max_cost: no price is known for {params.model}",
                "Add it to a file that llm.prices names, or limit llm.max_tokens instead.",
            )
        return cls(price, params.max_cost, params.max_tokens)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle limits and spending alone: requests in flight belong to the process that sent them."""
        return Budget, (self.price, self.max_cost, self.max_tokens, self.spent, self.lost, self.excess)

    def add_spending(self, share: "Budget") -> None:
        """Add what another process has spent, at the price that is known here."""
        self._add(self.spent, share.spent.prompt, share.spent.completion)
        self._add(self.lost, share.lost.prompt, share.lost.completion)

    async def wait_for_room(self, request: ChatRequest) -> bool:
        """Reserve a request's worst case; waits while answers in flight could still make room.

        Returns:
            False if the limit could be exceeded: the request must not be sent.
        """
        async with self._settled:
            while not self.excess and (self._must_measure() or self._explain_excess(request)):
                if not self._in_flight:
                    self.excess = self._explain_excess(request)
                    self._settled.notify_all()
                else:
                    await self._settled.wait()
            if not self.excess:
                self._change_reservation(request, 1)
                self._in_flight += 1
            return not self.excess

    def reserve(self, request: ChatRequest) -> bool:
        """Reserve without waiting (batch mode); return False if the limit would be exceeded."""
        self.excess = self.excess or self._explain_excess(request)
        if not self.excess:
            self._change_reservation(request, 1)
        return not self.excess

    def count_lost_try(self, request: ChatRequest) -> str:
        """Count a try that was sent and not answered; returns why there must be no further try, if any reason."""
        self._is_measured = True  # or all other requests would wait for its next try
        sent, received = compute_worst_case(request)
        self._add(self.lost, sent + self._hidden_prompt, max(received, self._largest_answer))
        return self._explain_excess()  # the reservation stays, for the next try

    async def settle(self, request: ChatRequest, entry: Entry | None) -> None:
        """Replace a reservation by the cost of the answer; ``entry`` is None if there is none."""
        async with self._settled:
            self._in_flight -= 1
            self._change_reservation(request, -1)
            if entry is not None:
                self.count_answer(request, entry)
            self._settled.notify_all()

    def count_answer(self, request: ChatRequest, entry: Entry) -> None:
        """Count an answer's tokens; a count that the server does not send is estimated upwards."""
        sent, allowed = compute_worst_case(request)
        prompt = sent if entry.prompt_tokens is None else entry.prompt_tokens
        received = entry.completion_tokens
        if received is None:
            received = _estimate_completion_tokens(entry, allowed)
        self._add(self.spent, prompt, received)
        self._hidden_prompt = max(self._hidden_prompt, prompt - sent)
        self._is_measured = True
        if received > max(allowed, self._largest_answer):
            if not self._largest_answer and allowed:
                log.warning(
                    "the server does not keep to the length of an answer: %d tokens were allowed and %d came; "
                    "from here on requests count with the largest answer seen",
                    allowed,
                    received,
                )
            self._largest_answer = received

    def _must_measure(self) -> bool:
        """Whether to wait for the first answer, which shows whether the server keeps to the allowed length."""
        has_limit = self.max_cost is not None or self.max_tokens is not None
        return has_limit and not self._is_measured and self._in_flight > 0

    def _change_reservation(self, request: ChatRequest, times: int) -> None:
        sent, received = compute_worst_case(request)
        self._reserved_prompt += times * sent
        self._reserved_lengths[received] += times

    def _sum_reserved(self, request: ChatRequest | None) -> Spent:
        """Return the worst case of all requests in flight and of a further one, given the answers so far."""
        prompt, lengths = self._reserved_prompt, Counter(self._reserved_lengths)
        if request is not None:
            sent, length = compute_worst_case(request)
            prompt += sent
            lengths[length] += 1
        prompt += self._hidden_prompt * lengths.total()
        completion = sum(max(length, self._largest_answer) * count for length, count in lengths.items())
        reserved = Spent()
        self._add(reserved, prompt, completion)
        return reserved

    def _add(self, total: Spent, sent: int, received: int) -> None:
        total.prompt += sent
        total.completion += received
        total.cost += self.price.compute_cost(sent, received) if self.price else 0.0

    def _explain_excess(self, request: ChatRequest | None = None) -> str:
        """Return which limit the requests in flight and a further one could exceed; empty if none."""
        reserved = self._sum_reserved(request)
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


def _estimate_completion_tokens(entry: Entry, allowed: int) -> int:
    """Return the tokens of an uncounted answer: the allowed length, unless its text is longer."""
    length = len(read_completion(entry.response).text.encode("utf-8", "replace"))
    return allowed if length <= _MAX_BYTES_PER_TOKEN * allowed else length // _BYTES_PER_TOKEN
