"""A session of asking: draws questions, looks them up in the ledger, claims the rest, and records their answers.

A transport drives it: it draws requests that the ledger lacks, claims them, sends them, and records an answer or a
failure for each. When several processes share the ledger, each request is sent by the one that has claimed it; the
others look again until it is answered or its claim is free.

Trade-off: questions are drawn a window at a time and answers go straight into the ledger, so memory holds one
window of requests however many questions there are; of each question only id, kind and key stay. Within a window,
questions of one kind are sent together, so that the server can reuse its cache of their common beginning.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence, Sized
from datetime import timedelta
from itertools import islice
from types import TracebackType
from typing import Self, TypeVar

from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.claims import Claims
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.outcome import AskedQuestion, AskingOutcome, UnansweredError
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question
from cotpd.llm.spending.budget import Budget
from cotpd.progress import Progress

T = TypeVar("T")

WINDOW = 1000  # questions drawn at once
_PAGE = 500  # answers in one commit


class AskingSession:
    """The questions of one call of :func:`cotpd.llm.ask.ask`; a context manager that releases its claims.

    Args:
        questions: The questions, drawn when a transport has room for them.
        params: The server and how to ask.
        ledger: Where answers are looked up and recorded.
        show: Show the progress.
        total: The number of questions, to show the time left; None takes the length of a list.

    Raises:
        ConfigError: A limit in dollars is set and the model's price is not known.
    """

    def __init__(
        self,
        questions: Iterable[Question],
        params: LlmParams,
        ledger: Ledger,
        *,
        show: bool,
        total: int | None = None,
    ) -> None:
        if total is None and isinstance(questions, Sized):
            total = len(questions)
        self._questions = iter(questions)
        self._params, self._ledger = params, ledger
        self._claims = Claims(ledger.database)
        self._started = time.monotonic()
        self._stopped = False
        self.outcome = AskingOutcome(Budget.from_params(params))
        self.drawn_keys: set[str] = set()
        self.claimed_elsewhere: dict[str, ChatRequest] = {}  # requests that other processes are asking
        self.progress = Progress("asking", total, show=show, facts=self._describe_progress)

    def __enter__(self) -> Self:
        self.progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._claims.release()  # also after an error: other processes wait for what is claimed
        finally:
            self.progress.__exit__(kind, error, trace)

    def draw_requests(self) -> list[ChatRequest] | None:
        """Draw the next window; return the requests that the ledger lacks, sorted by kind, or None at the end."""
        pairs: list[tuple[Question, ChatRequest]] = []
        for question in islice(self._questions, WINDOW):
            if self._stopped:  # reading a window of pictures takes long, and an interrupted run must end soon
                return None
            pairs.append((question, question.build_request(self._params)))
        if not pairs:
            return None
        self.outcome.questions += (
            AskedQuestion(
                question.id,
                question.kind,
                request.key,
                question.reading_schema or question.schema,
                question.limit,
                question.draw,
            )
            for question, request in pairs
        )
        return self._find_missing(pairs)

    def stop_drawing(self) -> None:
        """Let a call of :meth:`draw_requests` that another thread is in return soon."""
        self._stopped = True

    def _find_missing(self, pairs: Sequence[tuple[Question, ChatRequest]]) -> list[ChatRequest]:
        """Return the requests that are new to this session and that the ledger lacks, sorted by kind."""
        new = {request.key: request for _, request in pairs if request.key not in self.drawn_keys}
        self.drawn_keys |= new.keys()
        answered = self.find_answered(new)
        kind_of_key = {request.key: question.kind for question, request in pairs}
        missing = sorted((key for key in new if key not in answered), key=lambda key: kind_of_key[key])
        self.progress.advance(len(pairs) - len(missing))
        return [new[key] for key in missing]

    def find_answered(self, requests: Mapping[str, ChatRequest]) -> set[str]:
        """Return the keys of the requests that the ledger answers, and note them in the outcome."""
        answer_keys = self._ledger.find_answer_keys(requests)
        self.outcome.ledger_keys |= answer_keys.keys()
        self.outcome.schemaless_keys |= {key: plain for key, plain in answer_keys.items() if key != plain}
        return set(answer_keys)

    def drop_answered(self, requests: Sequence[ChatRequest]) -> list[ChatRequest]:
        """Return the requests that the ledger still lacks; the answered ones count as progress."""
        answered = self.find_answered({request.key: request for request in requests})
        self.progress.advance(len(answered))
        return [request for request in requests if request.key not in answered]

    def claim_requests(self, requests: Sequence[ChatRequest]) -> list[ChatRequest]:
        """Claim requests and return those that are ours; the others go into ``claimed_elsewhere``.

        Another process may have finished one between the caller's last look into the ledger and our claim. It
        commits its answer (or batch job) before it releases the claim, so the caller looks once more afterwards.
        """
        claimed = self._claims.claim([request.key for request in requests])
        self.claimed_elsewhere |= {request.key: request for request in requests if request.key not in claimed}
        return [request for request in requests if request.key in claimed]

    def release_claims(self) -> None:
        """Give up all claims; what was asked under them must be committed before."""
        self._claims.release()

    def refresh_claims(self) -> None:
        """Show other processes that this one lives; cheap if that was done a moment ago."""
        self._claims.refresh()

    async def record(self, request: ChatRequest, raw: str, latency: float) -> Entry:
        """Commit an answer; return what the ledger then holds, which may be an earlier answer.

        Args:
            request: The request that was sent.
            raw: The body that came back.
            latency: Seconds that it took.

        Raises:
            LlmError: The ledger cannot be written.
        """
        entry = await asyncio.wrap_future(self._ledger.submit(Entry.from_response(request, raw, latency)))
        self.outcome.from_server += 1
        return entry

    def record_many(self, entries: Iterable[Entry]) -> None:
        """Commit answers, a page at a time."""
        iterator = iter(entries)
        while page := list(islice(iterator, _PAGE)):
            self._ledger.put_many(page)
            self.outcome.from_server += len(page)

    def fail(self, key: str, error: UnansweredError) -> None:
        """Note why a request has no answer."""
        self.outcome.failures[key] = error

    def list_unanswered_keys(self) -> set[str]:
        """Return the drawn keys that have neither an answer in the ledger nor a failure."""
        open_keys = self.drawn_keys - self.outcome.ledger_keys - self.outcome.failures.keys()
        return open_keys - self._ledger.get_many(open_keys).keys()

    def drop_recorded(self, lines: Mapping[str, T]) -> dict[str, T]:
        """Return the items whose key has no answer in the ledger."""
        recorded = self._ledger.get_many(lines)
        return {key: line for key, line in lines.items() if key not in recorded}

    def count_answers(self) -> int:
        """Return the number of requests that are answered so far."""
        return len(self.outcome.ledger_keys) + self.outcome.from_server

    def _describe_progress(self) -> dict[str, str]:
        """Return the columns of the live table: where answers come from, their cost, and the time left."""
        outcome, spent, lost = self.outcome, self.outcome.budget.spent, self.outcome.budget.lost
        facts = {
            "from the ledger": f"{len(outcome.ledger_keys):,}",
            "answered": f"{outcome.from_server:,}",
            "failed": f"{len(outcome.failures):,}",
        }
        if not outcome.from_server:
            return facts
        per_second = outcome.from_server / (time.monotonic() - self._started)
        facts |= {"tokens sent": f"{spent.prompt:,}", "received": f"{spent.completion:,}"}
        if outcome.budget.price:
            facts["cost"] = f"${spent.cost:,.2f}"
        if lost.tokens:
            facts["perhaps billed too"] = f"{lost.tokens:,} tokens at most, of tries without an answer"
        facts["a minute"] = f"{60 * per_second:,.0f}"
        if self.progress.left is not None:
            facts["time left"] = str(timedelta(seconds=round(self.progress.left / per_second)))
        return facts
