"""Asking by OpenAI's Batch API: half the price, answered within a day, collected whenever the step runs again.

Trade-off: a job is written down before it is submitted, with every request in it, and carries our token on the
server. A run that was killed anywhere finds it again, at the price of a second copy of each request until its
answer is there. Keys are those of live asking: answers of either mode serve the other.
"""

import logging
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.errors import LlmError
from cotpd.liveness import is_dead, name_process
from cotpd.llm.chat_request import ChatRequest, check_address
from cotpd.llm.ledger.ledger import Entry
from cotpd.llm.outcome import Asked
from cotpd.llm.session import Round
from cotpd.llm.spending.budget import RAISE
from cotpd.llm.transports.batch_api import BatchServer, QueueFullError
from cotpd.llm.transports.batch_lines import ANEW, line, read_answer, split
from cotpd.llm.transports.batch_queue import ALONE, Queue
from cotpd.llm.transports.chat_client import UnansweredError, quoted

if TYPE_CHECKING:
    from openai.types import Batch

log = logging.getLogger(__name__)

FIRST_LOOK, LAST_LOOK = 2.0, 60.0  # seconds between two looks at a job, growing
_SUBMITTING = 3600.0  # seconds that a process of another machine may take to submit a job
_PAGE = 500
_ENDED = {"completed", "failed", "expired", "cancelled"}
_AGAIN = "Run the step again: what it submitted is collected then."
_KEPT = "The batch is kept, and each run reads it again. To ask anew instead, delete its file {} on the server."


class BatchRound(Round):
    """One round of asking by batches."""

    _kept: set[str]  # tokens of ended jobs whose lines cannot all be read
    _reserved: set[str]  # keys of the questions that the budget counts
    _queue: Queue  # how much the server works on at a time

    def run(self) -> Asked:
        """Collect what was submitted before, submit what is missing, and wait for it.

        Raises:
            LlmError: The server refuses, or llm.batch_wait is over; a further run goes on.
        """
        self._address = check_address(self._params.base_url)
        self._kept, self._reserved = set(), set()
        self._queue = Queue(self._params.batch_requests)
        with self._bar:
            missing = self._missing()
            first = list(islice(missing, 1))
            if not first and not self._ledger.in_jobs(self._seen):
                return self.result
            with BatchServer(self._params) as server:
                self._recover(server)
                self._submit(server, chain(first, missing))
                self._collect(server)
        self._explain_the_rest()
        return self.result

    def _missing(self) -> Iterator[ChatRequest]:
        while (calls := self._window()) is not None:
            yield from calls

    def _claimed(self, calls: dict[str, ChatRequest]) -> list[str]:
        """Those of the calls that no job holds."""
        pending = self._ledger.in_jobs(calls)
        return [key for key in calls if key not in pending]

    def _recover(self, server: BatchServer) -> None:
        """Find out of each job that was about to be created whether it was."""
        sql = "SELECT token, created FROM batch_job WHERE id IS NULL AND base_url = ?"
        for token, created in self._ledger.read(sql, (self._address,)):
            age = (datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()
            if not is_dead(token, age, lapse=_SUBMITTING):
                continue  # somebody is at it
            if (id := server.find(token)) is not None:
                self._ledger.change(("UPDATE batch_job SET id = ? WHERE token = ?", (id, token)))
                continue
            rows = self._ledger.read("SELECT request FROM batch_item WHERE token = ?", (token,))
            self._forget(token)
            self._submit(server, [ChatRequest.parse(text) for (text,) in rows])

    def _submit(self, server: BatchServer, calls: Iterable[ChatRequest]) -> None:
        for part in split((call for call in calls if self._affordable(call)), self._queue.most):
            if self._queue.is_full(len(self._jobs())):
                self._queue.put_off(part)
            else:
                self._submit_one(server, part)

    def _affordable(self, call: ChatRequest) -> bool:
        if call.key in self._reserved or self.result.budget.reserve(call):
            self._reserved.add(call.key)
            return True
        reason = f"not asked: {self.result.budget.over}"
        self.result.failed[call.key] = UnansweredError(reason, RAISE, passing=False)
        return False

    def _submit_one(self, server: BatchServer, calls: Sequence[ChatRequest]) -> None:
        token, now = name_process(), datetime.now(UTC).isoformat(timespec="seconds")
        try:
            items = (
                ("INSERT INTO batch_item VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (c.key, token, c.text))
                for c in sorted(self._free(calls), key=lambda c: c.key)
            )
            self._ledger.change(
                ("INSERT INTO batch_job VALUES (?, ?, NULL, ?)", (token, self._address, now)), *items
            )
        finally:
            self._claims.close()  # whoever asks live finds them in the job from now on
        rows = self._ledger.read("SELECT key FROM batch_item WHERE token = ?", (token,))
        ours = {key for (key,) in rows}  # another process may have been faster with some
        if not ours:
            self._forget(token)
            return
        try:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "requests.jsonl"
                file.write_text("".join(line(call) for call in calls if call.key in ours), "utf-8")
                id = server.submit(file, token)
        except QueueFullError as error:
            self._forget(token)
            if not self._queue.shrink(calls, error.problem, len(self._jobs())):
                raise
            self._queue.put_off(calls)
            return
        except LlmError:
            if server.find(token) is None:
                self._forget(token)
            raise
        self._ledger.change(("UPDATE batch_job SET id = ? WHERE token = ?", (id, token)))

    def _free(self, calls: Sequence[ChatRequest]) -> list[ChatRequest]:
        """Those of the calls that no process is asking live, claimed until they are in a job."""
        mine = self._claims.take([call.key for call in calls])
        self._theirs |= {call.key: call for call in calls if call.key not in mine}
        held = self._held({call.key: call for call in calls if call.key in mine})  # asked live in the meantime
        self._bar.advance(len(held))
        return [call for call in calls if call.key in mine and call.key not in held]

    def _collect(self, server: BatchServer) -> None:
        """Wait for every job of this address, and take its answers in."""
        until = time.monotonic() + self._params.batch_wait if self._params.batch_wait is not None else float("inf")
        pause = FIRST_LOOK
        while (jobs := self._jobs()) or self._queue.waiting:
            for token, id in jobs:
                job = server.look(id)
                if job is None:
                    self._give_up(token, id)
                elif job.status in _ENDED:
                    self._take(server, token, job)
                elif job.request_counts:
                    done = job.request_counts.completed + job.request_counts.failed
                    self._bar.advance(0, f"{job.id} {job.status}: {done:,} of {job.request_counts.total:,}")
            if self._queue.waiting and not self._queue.is_full(len(self._jobs())):
                self._submit(server, self._queue.take())
            waiting = self._jobs()
            if not waiting and not self._queue.waiting:
                return
            if time.monotonic() + pause > until:
                names = ", ".join(id for _, id in waiting) + self._queue.describe()
                raise LlmError(f"{len(waiting)} batches are still being worked on: {names}", _AGAIN)
            time.sleep(pause)
            pause = min(LAST_LOOK, pause * 1.5)

    def _jobs(self) -> list[tuple[str, str]]:
        sql = "SELECT token, id FROM batch_job WHERE id IS NOT NULL AND base_url = ? ORDER BY created, token"
        jobs = self._ledger.read(sql, (self._address,))
        return [(token, id) for token, id in jobs if token not in self._kept]

    def _take(self, server: BatchServer, token: str, job: "Batch") -> None:
        """Take in what an ended job has answered; the rest of it is free to be asked again by a later run.

        Where lines cannot be read, the rest may have been answered and paid for: it stays in the job.
        """
        asked = dict(self._ledger.read("SELECT key, request FROM batch_item WHERE token = ?", (token,)))
        if self._queue.refuses(job) and self._put_off(token, job, asked):
            return
        entries: dict[str, Entry] = {}
        failed: dict[str, UnansweredError] = {}
        strange: dict[str, object] = {}
        unreadable: list[object] = []
        rows, gone = _rows(server, job)
        for row in rows:
            key = row.get("custom_id") if isinstance(row, dict) else None
            if not isinstance(row, dict) or not isinstance(key, str):
                unreadable.append(row)
            elif key not in asked:
                strange[key] = row
            elif isinstance(said := read_answer(ChatRequest.parse(asked[key]), row), Entry):
                entries.setdefault(key, said)  # a line that came twice is one answer
            else:
                failed[key] = said
        answered = iter(entries.values())
        while page := list(islice(answered, _PAGE)):
            self._ledger.put_many(page)
        self.result.asked += len(entries)
        for key, entry in entries.items():
            self.result.budget.spend(ChatRequest.parse(asked[key]), entry)
        left = asked.keys() - entries.keys() - failed.keys()
        taken = self._ledger.get_many(strange)  # a kept job's other lines, by a run before
        if strange := {key: row for key, row in strange.items() if key not in taken}:
            first = next(iter(strange.values()))
            log.warning("batch %s: %d lines that nobody asked for, first: %.80s", job.id, len(strange), first)
        if unreadable:
            log.warning("batch %s: %d lines cannot be read, first: %.80s", job.id, len(unreadable), unreadable[0])
        if kept := bool(unreadable and left):
            reason = f"{len(unreadable)} lines of batch {job.id} cannot be read, and its answer may be among them"
            why = UnansweredError(reason, _KEPT.format(job.output_file_id), passing=False)
        else:
            remedy = ALONE if self._queue.refuses(job) else ANEW
            why = UnansweredError(gone or server.scrub(_why(job)), remedy, passing=True)
        self.result.failed |= failed | dict.fromkeys(left, why)
        self._bar.advance(len(asked))
        if kept:
            self._kept.add(token)
            self._ledger.change(
                *(("DELETE FROM batch_item WHERE key = ?", (key,)) for key in sorted(asked.keys() - left))
            )
        else:
            self._forget(token)

    def _put_off(self, token: str, job: "Batch", asked: dict[str, str]) -> bool:
        """Have questions that the server's queue had no room for submitted later, in smaller parts."""
        calls = [ChatRequest.parse(text) for text in asked.values()]
        others = len(self._jobs()) - 1
        if not self._queue.shrink(calls, _why(job), others):
            return False
        self._forget(token)
        self._queue.put_off(calls)
        return True

    def _give_up(self, token: str, id: str) -> None:
        """Free the questions of a job that the server does not know, to be asked again by a later run."""
        log.warning("batch %s: the server does not know it; its questions are free to be asked again", id)
        keys = [key for (key,) in self._ledger.read("SELECT key FROM batch_item WHERE token = ?", (token,))]
        for key in keys:
            self.result.failed[key] = UnansweredError(f"the server does not know batch {id}", ANEW, passing=True)
        self._bar.advance(len(keys))
        self._forget(token)

    def _forget(self, token: str) -> None:
        self._ledger.change(
            ("DELETE FROM batch_item WHERE token = ?", (token,)),
            ("DELETE FROM batch_job WHERE token = ?", (token,)),
        )

    def _explain_the_rest(self) -> None:
        """What another process was asking, or had in its jobs and gave up, has perhaps no answer either."""
        self._held(self._theirs)
        open_keys = self._seen - self.result.known - self.result.failed.keys()
        open_keys -= self._ledger.get_many(open_keys).keys()
        jobs = self._ledger.in_jobs(open_keys)
        for key in open_keys:
            reason = "its batch ended without an answer"
            if key in jobs:
                reason = f"it is in {jobs[key]}"
            elif key in self._theirs:
                reason = "another process was asking it at that moment"
            self.result.failed[key] = UnansweredError(reason, _AGAIN, passing=True)


def _rows(server: BatchServer, job: "Batch") -> tuple[Iterator[dict[str, Any] | str], str]:
    """The lines of a job's result files, and what is to be said of a file that is gone."""
    found: list[Iterator[dict[str, Any] | str]] = []
    gone = ""
    for file in (job.output_file_id, job.error_file_id):
        if file and (lines := server.lines(file)) is not None:
            found.append(lines)
        elif file:
            gone = f"the server does not have the results of batch {job.id} any more (file {file})"
            log.warning("%s; what it held is free to be asked again", gone)
    return chain.from_iterable(found), gone


def _why(job: "Batch") -> str:
    """Why a job has no answer for a request."""
    said = "; ".join(quoted(str(error.message)) for error in (job.errors.data or [])[:3]) if job.errors else ""
    return f"its batch {job.id} is {job.status}" + (f": {said}" if said else "")
