"""Live mode: requests go over HTTP one by one, a number of them at a time, and each answer is committed at once.

A request that lies in a batch job is not sent: its answer is paid for already, and batch mode collects it.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial

from cotpd.counts import format_count
from cotpd.errors import LlmError
from cotpd.interrupts import cancel_on_sigterm
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.batch_jobs import BatchJobs
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.outcome import UnansweredError
from cotpd.llm.params import LlmParams
from cotpd.llm.session import WINDOW, AskingSession
from cotpd.llm.spending.budget import RAISE_LIMIT, compute_worst_case
from cotpd.llm.transports.chat_client import ChatClient, NoServerError

log = logging.getLogger(__name__)

_MAX_FAILURES = 20  # in a row, after which the server is given up
_COLLECT = "Run with llm.mode: batch to collect what was submitted."
_RECHECK_INTERVAL = 0.5  # seconds between two looks at what other processes are asking
_HEARTBEAT_INTERVAL = 1.0  # seconds

RequestQueue = asyncio.Queue[ChatRequest | None]  # None tells a worker to end


class LiveTransport:
    """Sends a session's requests live; serves one session.

    Args:
        session: Its requests.
        params: The server and how to ask.
        batch_jobs: The jobs whose requests are left alone.
    """

    def __init__(self, session: AskingSession, params: LlmParams, batch_jobs: BatchJobs) -> None:
        self._session, self._params, self._batch_jobs = session, params, batch_jobs
        self._budget = session.outcome.budget
        self._skipped_for: list[str] = []  # the batch of each request that was left alone
        self._failures_in_a_row = 0
        self._schema_refused = False

    def answer_all(self) -> None:
        """See :class:`cotpd.llm.transports.transport.Transport`."""
        try:
            first = self._draw()
            while first == []:  # nothing to send so far: no client is needed, nor a key for it
                first = self._draw()
            if first or self._session.claimed_elsewhere:
                asyncio.run(self._send_all(first))
        except asyncio.CancelledError:  # SIGTERM cancels; after Ctrl-C asyncio raises KeyboardInterrupt itself
            raise KeyboardInterrupt from None
        except ExceptionGroup as group:
            raise self._choose_error(group) from None
        if self._skipped_for:
            names = ", ".join(sorted(set(self._skipped_for)))
            log.warning("%d questions are in %s. %s", len(self._skipped_for), names, _COLLECT)

    def _draw(self) -> list[ChatRequest] | None:
        """Draw a window and return the requests to send; None at the end."""
        requests = self._session.draw_requests()
        return None if requests is None else self._claim(requests)

    def _claim(self, requests: Sequence[ChatRequest]) -> list[ChatRequest]:
        """Return the requests that are ours to send: in no batch, claimed by no other process, and unanswered."""
        unbatched = self._skip_batched(requests)
        if not unbatched:
            return []
        claimed = self._session.claim_requests(unbatched)
        # Before we claimed a request, another process may have put it into a batch job, or collected its job. An
        # answer is committed before its job is removed, so look at the jobs first and at the answers second.
        return self._session.drop_answered(self._skip_batched(claimed))

    def _skip_batched(self, requests: Sequence[ChatRequest]) -> list[ChatRequest]:
        """Return the requests that lie in no batch job; the others count as failed."""
        batches = self._batch_jobs.find_batches([request.key for request in requests])
        for key, batch in batches.items():
            self._session.fail(key, UnansweredError(f"it is in {batch}", _COLLECT, transient=False))
        self._skipped_for += batches.values()
        self._session.progress.advance(len(batches))
        return [request for request in requests if request.key not in batches]

    async def _send_all(self, first: list[ChatRequest] | None) -> None:
        queue: RequestQueue = asyncio.Queue(WINDOW)
        heartbeat = asyncio.create_task(self._refresh_claims())
        try:
            with cancel_on_sigterm():
                async with ChatClient(self._params) as client, asyncio.TaskGroup() as group:
                    for _ in range(self._params.concurrency):
                        group.create_task(self._work(client, queue))
                    await self._feed(first, queue)
                    for _ in range(self._params.concurrency):
                        await queue.put(None)
        finally:
            self._session.stop_drawing()
            heartbeat.cancel()

    async def _feed(self, requests: list[ChatRequest] | None, queue: RequestQueue) -> None:
        """Put requests into the queue: window by window, then those that other processes gave up."""
        while requests is not None:
            for request in requests:
                await queue.put(request)
            requests = await asyncio.to_thread(self._draw)  # in a thread: it must not delay requests in flight
        while self._session.claimed_elsewhere:
            for request in await asyncio.to_thread(self._take_over):
                await queue.put(request)
            if self._session.claimed_elsewhere:
                await asyncio.sleep(_RECHECK_INTERVAL)

    def _take_over(self) -> list[ChatRequest]:
        """Return the requests of other processes that are still unanswered and no longer claimed, now ours."""
        requests = list(self._session.claimed_elsewhere.values())
        self._session.claimed_elsewhere.clear()
        return self._claim(self._session.drop_answered(requests))

    async def _refresh_claims(self) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_INTERVAL)
            with suppress(
                LlmError
            ):  # a database that refuses a heartbeat refuses the next commit, which reports it
                await asyncio.to_thread(self._session.refresh_claims)

    async def _work(self, client: ChatClient, queue: RequestQueue) -> None:
        while request := await queue.get():
            await self._answer(client, request)
            self._session.progress.advance()

    async def _answer(self, client: ChatClient, request: ChatRequest) -> None:
        """Answer one request within the budget, or note why it has no answer."""
        if not await self._budget.wait_for_room(request):
            reason = f"not asked: {self._budget.excess}"
            self._session.fail(request.key, UnansweredError(reason, RAISE_LIMIT, transient=False))
            return
        entry = None
        try:
            entry = await self._complete(client, request)
            client.rate_limit.give_back(_count_unused_tokens(request, entry))
            self._failures_in_a_row = 0
        except UnansweredError as error:
            self._session.fail(request.key, error)
            self._count_failure(error)
        finally:
            await self._budget.settle(request, entry)

    async def _complete(self, client: ChatClient, request: ChatRequest) -> Entry:
        """Return the committed answer; a server that refuses the schema is asked without it."""
        tokens = sum(compute_worst_case(request))
        count_lost_try = partial(self._budget.count_lost_try, request)
        plain = request.without_schema
        if plain is None or not self._schema_refused:
            try:
                record = partial(self._session.record, request)
                return await client.complete(request.body, record, tokens, count_lost_try)
            except UnansweredError as error:
                if error.refused_field != "response_format" or plain is None:
                    raise
                if not self._schema_refused:
                    log.warning("asked again without the prompt's schema: %s", error.reason)
                self._schema_refused = True
        self._session.outcome.schemaless_keys[request.key] = plain.key
        return await client.complete(plain.body, partial(self._session.record, plain), tokens, count_lost_try)

    def _count_failure(self, error: UnansweredError) -> None:
        """Count a failure; raises LlmError after many in a row.

        A refused request may be its post's fault and does not count, unless the server has answered none so far.
        """
        if error.transient or not self._session.outcome.from_server:
            self._failures_in_a_row += 1
        if self._failures_in_a_row >= max(_MAX_FAILURES, 2 * self._params.concurrency):
            answers = format_count(self._session.count_answers(), "answer is", "answers are")
            raise LlmError(
                f"{self._failures_in_a_row} requests in a row failed, the last one with: {error.reason}",
                f"{answers} in the ledger; look at the server and run again.",
            )

    def _choose_error(self, group: ExceptionGroup[Exception]) -> Exception:
        """Return the one error to show of those that ended the workers at the same time."""
        errors = sorted(_iterate_leaves(group), key=lambda error: not isinstance(error, NoServerError))
        if not isinstance(errors[0], NoServerError):
            return errors[0]
        answers, drawn = self._session.count_answers(), len(self._session.drawn_keys)
        return LlmError(
            f"no model answers at {self._params.base_url} ({errors[0]}); "
            f"{answers} of {format_count(drawn, 'answer')} in the ledger",
            "Start one with `cotpd llm serve`, or set llm.base_url.",
        )


def _count_unused_tokens(request: ChatRequest, entry: Entry) -> int:
    """Return how many tokens less than the worst case an answer took, as far as the server counts them."""
    sent, received = compute_worst_case(request)
    unused = 0 if entry.prompt_tokens is None else sent - entry.prompt_tokens
    return unused + (0 if entry.completion_tokens is None else received - entry.completion_tokens)


def _iterate_leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from _iterate_leaves(error)
        else:
            yield error
