"""Batch mode: requests go through OpenAI's Batch API at half the price and are answered within a day.

Each run collects what any run before it has submitted, submits what is missing, and waits for the answers.

Trade-off: a job is written into the ledger with all of its requests before it is submitted, and carries our token
on the server. A run that was killed anywhere finds it again; the price is a second copy of each request until its
answer is there. Keys are those of live mode, so the answers of either mode serve the other.
"""

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from cotpd.counts import format_count
from cotpd.errors import LlmError
from cotpd.liveness import is_dead, name_process
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.batch_jobs import BatchJobs
from cotpd.llm.outcome import UnansweredError
from cotpd.llm.params import LlmParams
from cotpd.llm.server_address import check_address
from cotpd.llm.session import AskingSession
from cotpd.llm.spending.budget import RAISE_LIMIT
from cotpd.llm.transports.batch_api import BatchServer, QueueFullError
from cotpd.llm.transports.batch_lines import ASK_AGAIN, build_line, split_requests
from cotpd.llm.transports.batch_queue import NO_ROOM, BatchQueue
from cotpd.llm.transports.batch_results import BatchResults, describe_end, read_results

if TYPE_CHECKING:
    from openai.types import Batch

log = logging.getLogger(__name__)

FIRST_POLL, LAST_POLL = 2.0, 60.0  # seconds between two polls of a job, growing
_SUBMISSION_TIMEOUT = 3600.0  # seconds that a process on another machine may take to submit a job
_END_STATES = {"completed", "failed", "expired", "cancelled"}
_RUN_AGAIN = "Run the step again: what it submitted is collected then."
_KEPT = "The batch is kept, and each run reads it again. To ask anew instead, delete its file {} on the server."


class BatchTransport:
    """Carries a session's requests in batch jobs; serves one session.

    Args:
        session: Its requests.
        params: The server and how to ask.
        batch_jobs: Where jobs are written down.

    Raises:
        ConfigError: ``llm.base_url`` is not an address.
    """

    def __init__(self, session: AskingSession, params: LlmParams, batch_jobs: BatchJobs) -> None:
        self._session, self._params, self._jobs = session, params, batch_jobs
        self._address = check_address(params.base_url)
        self._budget = session.outcome.budget
        self._queue = BatchQueue(params.batch_requests)
        self._unreadable_jobs: set[str] = set()  # tokens of ended jobs that stay, as some lines cannot be read
        self._reserved: set[str] = set()  # keys of requests that the budget has admitted

    def answer_all(self) -> None:
        """See :class:`cotpd.llm.transports.transport.Transport`.

        Raises:
            LlmError: The server refuses, or llm.batch_wait is over; a further run continues.
        """
        missing = self._draw_missing()
        first = list(islice(missing, 1))
        if first or self._jobs.find_batches(self._session.drawn_keys):
            with BatchServer(self._params) as server:
                self._recover(server)
                self._submit(server, chain(first, missing))
                self._collect(server)
            self._explain_unanswered()

    def _draw_missing(self) -> Iterator[ChatRequest]:
        """Yield the requests that neither the ledger nor a job has."""
        while (requests := self._session.draw_requests()) is not None:
            batches = self._jobs.find_batches([request.key for request in requests])
            yield from (request for request in requests if request.key not in batches)

    def _recover(self, server: BatchServer) -> None:
        """Find out whether jobs of killed runs were submitted; submit those that were not."""
        for token, age in self._jobs.list_unconfirmed(self._address):
            if not is_dead(token, age, lapse=_SUBMISSION_TIMEOUT):
                continue  # another process is submitting it
            if (job_id := server.find_job(token)) is not None:
                self._jobs.set_id(token, job_id)
                continue
            requests = [ChatRequest.parse(text) for text in self._jobs.read_request_texts(token).values()]
            self._jobs.remove(token)
            self._submit(server, requests)

    def _submit(self, server: BatchServer, requests: Iterable[ChatRequest]) -> None:
        """Submit requests in jobs that the API takes, or keep them while the server's queue is full."""
        affordable = (request for request in requests if self._reserve(request))
        for part in split_requests(affordable, self._queue.max_requests):
            if self._queue.is_full(len(self._list_jobs())):
                self._queue.put_off(part)
            else:
                self._submit_job(server, part)

    def _reserve(self, request: ChatRequest) -> bool:
        """Whether the budget admits a request; one that it refuses counts as failed."""
        if request.key in self._reserved or self._budget.reserve(request):
            self._reserved.add(request.key)
            return True
        reason = f"not asked: {self._budget.excess}"
        self._session.fail(request.key, UnansweredError(reason, RAISE_LIMIT, transient=False))
        return False

    def _submit_job(self, server: BatchServer, requests: Sequence[ChatRequest]) -> None:
        """Send requests as one job, those left out that were answered or claimed meanwhile.

        If the server's queue is full the requests wait, or go into smaller jobs.

        Raises:
            QueueFullError: The queue is full, and the job cannot be made smaller.
            LlmError: The server cannot be reached, or refuses the job.
        """
        token = name_process()
        try:
            claimed = self._session.claim_requests(requests)  # live runs must not send them meanwhile
            unanswered = self._session.drop_answered(claimed)
            keys = self._jobs.add(token, self._address, unanswered)
        finally:
            self._session.release_claims()  # from here on, live runs find the requests in the job
        if not keys:
            self._jobs.remove(token)
            return
        try:
            job_id = self._upload(server, token, [request for request in requests if request.key in keys])
        except QueueFullError as error:
            self._jobs.remove(token)
            if not self._queue.shrink(requests, error.problem, len(self._list_jobs())):
                raise
            self._queue.put_off(requests)
            return
        except LlmError:
            if server.find_job(token) is None:
                self._jobs.remove(token)
            raise
        self._jobs.set_id(token, job_id)

    def _upload(self, server: BatchServer, token: str, requests: Iterable[ChatRequest]) -> str:
        """Create a job on the server and return its id."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "requests.jsonl"
            file.write_text("".join(build_line(request) for request in requests), "utf-8")
            return server.submit(file, token)

    def _list_jobs(self) -> list[tuple[str, str]]:
        """Return token and id of the jobs that this server is still to answer."""
        jobs = self._jobs.list_submitted(self._address)
        return [(token, job_id) for token, job_id in jobs if token not in self._unreadable_jobs]

    def _collect(self, server: BatchServer) -> None:
        """Wait for every job of this server, and record its answers.

        Raises:
            LlmError: llm.batch_wait is over before.
        """
        wait = self._params.batch_wait
        deadline = float("inf") if wait is None else time.monotonic() + wait
        pause = FIRST_POLL
        while self._list_jobs() or self._queue.waiting:
            for token, job_id in self._list_jobs():
                self._poll(server, token, job_id)
            if self._queue.waiting and not self._queue.is_full(len(self._list_jobs())):
                self._submit(server, self._queue.take_all())
            jobs = self._list_jobs()
            if not jobs and not self._queue.waiting:
                return
            if time.monotonic() + pause > deadline:
                names = ", ".join(job_id for _, job_id in jobs) + self._queue.describe()
                batches = format_count(len(jobs), "batch is", "batches are")
                raise LlmError(
                    f"{batches} still being worked on: {names}",
                    _RUN_AGAIN,
                )
            time.sleep(pause)
            pause = min(LAST_POLL, pause * 1.5)

    def _poll(self, server: BatchServer, token: str, job_id: str) -> None:
        """Look at one job, and end it if the server has."""
        job = server.look_up(job_id)
        if job is None:
            self._give_up(token, job_id)
        elif job.status in _END_STATES:
            self._end(server, token, job)
        elif job.request_counts:
            ended = job.request_counts.completed + job.request_counts.failed
            self._session.progress.advance(0, f"{job.id} {job.status}: {ended:,} of {job.request_counts.total:,}")

    def _end(self, server: BatchServer, token: str, job: "Batch") -> None:
        """Record the answers of an ended job; its other requests may be asked again by a later run.

        If lines cannot be read, the missing answers may be among them, paid for: then the job stays.
        """
        texts = self._jobs.read_request_texts(token)
        if self._queue.is_refusal(job) and self._put_off_job(token, job, texts):
            return
        results = read_results(server, job, texts)
        self._session.record_many(results.entries.values())
        for key, entry in results.entries.items():
            self._budget.count_answer(ChatRequest.parse(texts[key]), entry)
        for key, error in results.failures.items():
            self._session.fail(key, error)
        self._session.progress.advance(len(texts))
        self._warn_of_strange_lines(job, results)
        missing = texts.keys() - results.entries.keys() - results.failures.keys()
        if results.unreadable and missing:
            self._keep_job(token, job, missing, results)
        else:
            remedy = NO_ROOM if self._queue.is_refusal(job) else ASK_AGAIN
            reason = results.lost_file or server.scrub(describe_end(job))
            self._fail_all(missing, UnansweredError(reason, remedy, transient=True))
            self._jobs.remove(token)

    def _warn_of_strange_lines(self, job: "Batch", results: BatchResults) -> None:
        """Warn of unreadable lines, and of lines that belong to no request and that no earlier run recorded."""
        unknown = self._session.drop_recorded(results.unknown)
        if unknown:
            example = next(iter(unknown.values()))
            log.warning("batch %s: %d lines that nobody asked for, first: %.80s", job.id, len(unknown), example)
        for line in results.unreadable[:1]:
            lines = format_count(len(results.unreadable), "line")
            log.warning("batch %s: %s cannot be read, first: %.80s", job.id, lines, line)

    def _keep_job(self, token: str, job: "Batch", missing: set[str], results: BatchResults) -> None:
        """Keep a job with the requests whose answers may be in unreadable lines."""
        lines = format_count(len(results.unreadable), "line")
        reason = f"{lines} of batch {job.id} cannot be read, and its answer may be among them"
        self._fail_all(missing, UnansweredError(reason, _KEPT.format(job.output_file_id), transient=False))
        self._unreadable_jobs.add(token)
        self._jobs.remove_requests(results.entries.keys() | results.failures.keys())

    def _put_off_job(self, token: str, job: "Batch", texts: dict[str, str]) -> bool:
        """Queue a job's requests for smaller jobs after the server had no room; False if it cannot be smaller."""
        requests = [ChatRequest.parse(text) for text in texts.values()]
        other_jobs = len(self._list_jobs()) - 1
        if not self._queue.shrink(requests, describe_end(job), other_jobs):
            return False
        self._jobs.remove(token)
        self._queue.put_off(requests)
        return True

    def _give_up(self, token: str, job_id: str) -> None:
        """Remove a job that the server does not know; a later run may ask its requests again."""
        log.warning("batch %s: the server does not know it; its questions are free to be asked again", job_id)
        keys = self._jobs.list_keys(token)
        self._fail_all(
            keys, UnansweredError(f"the server does not know batch {job_id}", ASK_AGAIN, transient=True)
        )
        self._session.progress.advance(len(keys))
        self._jobs.remove(token)

    def _fail_all(self, keys: Iterable[str], error: UnansweredError) -> None:
        for key in keys:
            self._session.fail(key, error)

    def _explain_unanswered(self) -> None:
        """Note why requests that other processes were asking, or had in their jobs, have no answer here."""
        elsewhere = self._session.claimed_elsewhere
        self._session.find_answered(elsewhere)
        unanswered = self._session.list_unanswered_keys()
        batches = self._jobs.find_batches(unanswered)
        for key in unanswered:
            reason = "its batch ended without an answer"
            if key in batches:
                reason = f"it is in {batches[key]}"
            elif key in elsewhere:
                reason = "another process was asking it at that moment"
            self._session.fail(key, UnansweredError(reason, _RUN_AGAIN, transient=True))
