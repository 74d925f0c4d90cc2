"""One round of asking: from the ledger what it holds, over the wire what it does not, each question once.

Trade-off: requests are drawn a window at a time and their answers go straight into the ledger, so memory holds a
window however many there are; what stays of a request is its id, kind and key. Within a window questions of one
kind are asked together, so that a server's cache of their common beginning is of use.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import islice

from cotpd.errors import LlmError
from cotpd.interrupts import cancel_on_sigterm
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.ledger import Entry, Ledger
from cotpd.llm.outcome import Asked, Row
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import RAISE, Budget, compute_worst_case
from cotpd.llm.transports.chat_client import Client, NoServerError, UnansweredError
from cotpd.progress import Progress

log = logging.getLogger(__name__)

_WINDOW = 1000  # requests
_HOPELESS = 20  # failures in a row after which the server is given up
COLLECT = "Run with llm.mode: batch to collect what was submitted."
_LOOK = 0.5  # seconds between two looks at what others are asking


class Round:
    """One round.

    Args:
        requests: The questions, drawn as they are needed.
        params: The server and how to ask.
        ledger: Where answers come from and go to.
        show: Show how far it has come.
        total: How many requests there are; None counts those of a list.
    """

    def __init__(
        self, requests: Iterable[Question], params: LlmParams, ledger: Ledger, show: bool, total: int | None = None
    ) -> None:
        self._requests = iter(requests)
        self._params, self._ledger = params, ledger
        self.result = Asked(budget=Budget.from_params(params))
        self._claims = Claims(ledger)
        self._seen: set[str] = set()
        self._theirs: dict[str, ChatRequest] = {}  # what another process is asking
        self._in_batches: list[str] = []  # the batch of each question that lies in one
        self._failures_in_a_row = 0
        self._over = False
        self._formless = False  # the server has refused a response_format
        self._began = time.monotonic()
        if total is None and isinstance(requests, Sized):
            total = len(requests)
        self._bar = Progress("asking", total, show=show, facts=self._facts)

    def run(self) -> Asked:
        """Ask until every request is answered or has failed.

        Raises:
            LlmError: Going on makes no sense: no server, a wrong key, no quota, only failures.
        """
        with self._bar:
            try:
                first = self._window()
                while first == []:  # as long as the ledger has it all, nobody needs a client
                    first = self._window()
                if first or self._theirs:
                    asyncio.run(self._ask(first))
            except asyncio.CancelledError:  # by SIGTERM; after Ctrl-C, asyncio raises this by itself
                raise KeyboardInterrupt from None
            except ExceptionGroup as group:
                raise self._explained(group) from None
            finally:
                self._claims.close()  # also of who could not draw a question: others wait for them
        if self._in_batches:
            jobs = ", ".join(sorted(set(self._in_batches)))
            log.warning("%d questions are in %s. %s", len(self._in_batches), jobs, COLLECT)
        return self.result

    def _window(self) -> list[ChatRequest] | None:
        """Draw the next requests; returns the calls that the ledger lacks, None when no request is left."""
        calls = []
        for request in islice(self._requests, _WINDOW):
            if self._over:  # a window of pictures takes its time, and nobody waits for it any more
                return None
            calls.append((request, request.build_request(self._params)))
        if not calls:
            return None
        self.result.rows += (
            Row(request.id, request.kind, call.key, request.schema, request.limit) for request, call in calls
        )
        new = {call.key: call for _, call in calls if call.key not in self._seen}
        self._seen |= new.keys()
        held = self._held(new)
        order = {call.key: request.kind for request, call in calls}
        missing = sorted((key for key in new if key not in held), key=lambda key: order[key])
        self._bar.advance(len(calls) - len(missing))
        return [new[key] for key in self._claimed({key: new[key] for key in missing})]

    def _claimed(self, calls: dict[str, ChatRequest]) -> list[str]:
        """Those of the calls that nobody else is asking; the others are looked at again later."""
        calls = self._outside_jobs(calls)
        if not calls:
            return []
        mine = self._claims.take(list(calls))
        self._theirs |= {key: call for key, call in calls.items() if key not in mine}
        # who gave a claim back committed a job or an answer before, and who ended a job its answers: look again
        calls = self._outside_jobs({key: call for key, call in calls.items() if key in mine})
        held = self._held(calls)
        self._bar.advance(len(held))
        return [key for key in calls if key not in held]

    def _outside_jobs(self, calls: dict[str, ChatRequest]) -> dict[str, ChatRequest]:
        """Those of the calls that lie in no batch: what does is not bought a second time, and counts as failed."""
        jobs = self._ledger.in_jobs(calls)
        for key, job in jobs.items():
            self._fail(calls[key], UnansweredError(f"it is in {job}", COLLECT, passing=False), counts=False)
        self._in_batches += jobs.values()
        self._bar.advance(len(jobs))
        return {key: call for key, call in calls.items() if key not in jobs}

    def _held(self, calls: Mapping[str, ChatRequest]) -> set[str]:
        """Those of the calls that the ledger answers; noted as known."""
        found = self._ledger.answer_keys(calls)
        self.result.known |= found.keys()
        self.result.instead |= {key: other for key, other in found.items() if key != other}
        return found.keys()

    async def _ask(self, first: list[ChatRequest] | None) -> None:
        waiting: asyncio.Queue[ChatRequest | None] = asyncio.Queue(_WINDOW)
        life = asyncio.create_task(self._live())  # as long as anything is under way
        try:
            with cancel_on_sigterm():
                async with Client(self._params) as client, asyncio.TaskGroup() as group:
                    tasks = (self._work(client, waiting) for _ in range(self._params.concurrency))
                    workers = [group.create_task(task) for task in tasks]
                    await self._feed(first, waiting)
                    for _ in workers:
                        await waiting.put(None)
        finally:
            self._over = True
            life.cancel()

    async def _feed(self, calls: list[ChatRequest] | None, waiting: "asyncio.Queue[ChatRequest | None]") -> None:
        """Put into the queue what is to be asked: window by window, then what others have left."""
        while calls is not None:
            for call in calls:
                await waiting.put(call)
            calls = await asyncio.to_thread(self._window)  # building requests does not hold up those in flight
        while self._theirs:
            for call in await asyncio.to_thread(self._left_by_others):
                await waiting.put(call)
            if self._theirs:
                await asyncio.sleep(_LOOK)

    def _left_by_others(self) -> list[ChatRequest]:
        theirs, self._theirs = self._theirs, {}
        held = self._held(theirs)
        self._bar.advance(len(held))
        return [theirs[key] for key in self._claimed({k: call for k, call in theirs.items() if k not in held})]

    async def _live(self) -> None:
        """Show a sign of life now and then; what keeps the database from taking it meets the next commit too."""
        while True:
            await asyncio.sleep(1.0)
            with suppress(LlmError):
                await asyncio.to_thread(self._claims.keep)

    async def _work(self, client: Client, waiting: "asyncio.Queue[ChatRequest | None]") -> None:
        while call := await waiting.get():
            await self._one(client, call)
            self._bar.advance()

    async def _one(self, client: Client, call: ChatRequest) -> None:
        budget = self.result.budget
        if not await budget.admit(call):
            self._fail(call, UnansweredError(f"not asked: {budget.over}", RAISE, passing=False), counts=False)
            return
        entry = None
        try:
            entry = await self._complete(client, call, partial(budget.lose, call))
            used = (entry.prompt_tokens, entry.completion_tokens)
            client.pace.give_back(  # of what the server does not count, the worst case stands
                sum(
                    most - one for most, one in zip(compute_worst_case(call), used, strict=True) if one is not None
                )
            )
            self._failures_in_a_row = 0
        except UnansweredError as error:
            self._fail(call, error)
        finally:
            await budget.settle(call, entry)

    async def _keep(self, call: ChatRequest, raw: str, latency: float) -> Entry:
        """Commit an answer; also called for one that arrives after the run was stopped."""
        entry = await asyncio.wrap_future(self._ledger.submit(Entry.from_response(call, raw, latency)))
        self.result.asked += 1
        return entry

    async def _complete(self, client: Client, call: ChatRequest, lost: Callable[[], str]) -> Entry:
        """The committed answer; asked without the schema if the server refuses it."""
        most = sum(compute_worst_case(call))
        if not (self._formless and call.plain):
            try:
                return await client.complete(call.body, partial(self._keep, call), most, lost)
            except UnansweredError as error:
                if error.refused != "response_format" or not call.plain:
                    raise
                if not self._formless:
                    log.warning("asked again without the prompt's schema: %s", error.reason)
                self._formless = True
        self.result.instead[call.key] = call.plain.key
        return await client.complete(call.plain.body, partial(self._keep, call.plain), most, lost)

    def _fail(self, call: ChatRequest, error: UnansweredError, *, counts: bool = True) -> None:
        self.result.failed[call.key] = error
        if counts and (error.passing or not self.result.asked):
            # a refused request may be the post's fault, unless all are refused
            self._failures_in_a_row += 1
        if self._failures_in_a_row >= max(_HOPELESS, 2 * self._params.concurrency):
            raise LlmError(
                f"{self._failures_in_a_row} requests in a row failed, the last one with: {error.reason}",
                f"{self._have()} answers are in the ledger; look at the server and run again.",
            )

    def _have(self) -> int:
        return len(self.result.known) + self.result.asked

    def _explained(self, group: ExceptionGroup) -> Exception:
        """The one error to show of those that ended the workers at the same time."""
        errors = sorted(_leaves(group), key=lambda error: not isinstance(error, NoServerError))
        if not isinstance(errors[0], NoServerError):
            return errors[0]
        drawn = len(self._seen)
        return LlmError(
            f"no model answers at {self._params.base_url} ({errors[0]}); "
            f"{self._have()} of {drawn} answers are in the ledger",
            "Start one with `cotpd llm serve`, or set llm.base_url.",
        )

    def _facts(self) -> dict[str, str]:
        """The live table: where answers came from, what they cost, and how long the rest will take."""
        result, spent = self.result, self.result.budget.spent
        facts = {"from the ledger": f"{len(result.known):,}", "answered": f"{result.asked:,}"}
        facts["failed"] = f"{len(result.failed):,}"
        if not result.asked:
            return facts
        rate = result.asked / (time.monotonic() - self._began)  # a second
        facts |= {"tokens sent": f"{spent.prompt:,}", "received": f"{spent.completion:,}"}
        if result.budget.price:
            facts["cost"] = f"${spent.cost:,.2f}"
        if lost := result.budget.lost.tokens:
            facts["perhaps billed too"] = f"{lost:,} tokens at most, of tries without an answer"
        facts["a minute"] = f"{60 * rate:,.0f}"
        if self._bar.left is not None:
            facts["time left"] = str(timedelta(seconds=round(self._bar.left / rate)))
        return facts


def _leaves(group: ExceptionGroup) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
