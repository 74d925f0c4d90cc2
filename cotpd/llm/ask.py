"""Put questions to the model: from the ledger what it holds, over the wire what it does not, each question once.

Requests stand in memory, tasks do not: as many workers as ``llm.concurrency`` allows take one request at a
time, and an answer counts once the ledger has committed it. Questions of one kind are asked together, so that
a server's cache of their common beginning is of use; the answers come back in the order of the requests.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cotpd.config import LlmParams
from cotpd.data.records import Answer, Kind, Quarantined
from cotpd.errors import LlmError
from cotpd.llm.client import Client, NoServerError, UnansweredError
from cotpd.llm.ledger import Entry, Ledger
from cotpd.llm.recording import import_recorded
from cotpd.llm.wire import Call, Completion, Message, chat_call, read_completion
from cotpd.progress import Progress

_HOPELESS = 20  # failures in a row after which the server is given up


@dataclass(frozen=True)
class Request:
    """One question about one post. Pictures travel as content parts of a message (data URLs)."""

    id: str
    kind: Kind
    messages: list[Message]
    schema: dict[str, Any] | None = None
    max_tokens: int = 64


@dataclass
class AskResult:
    """Answers in the order of the requests, without the failed ones, and where they came from.

    ``from_ledger`` and ``failed`` count requests; ``asked`` counts answered calls, two requests
    of the same wording as one.
    """

    answers: list[Answer] = field(default_factory=list)
    from_ledger: int = 0
    asked: int = 0
    failed: list[Quarantined] = field(default_factory=list)


def ask_all(
    requests: Iterable[Request], params: LlmParams, *, progress: bool = True, step: str = "ask"
) -> AskResult:
    """Answer every request, from the ledger or by asking; one that fails does not stop the others.

    An answer that was cut off (finish reason ``length``), refused or empty is an answer: it is kept, and says so.

    Args:
        requests: The questions.
        params: The server, the ledger and how to ask.
        progress: Show how far it has come.
        step: Named in the quarantined rows.

    Raises:
        LlmError: Nothing answers at the address, the server refuses key, quota or model, it failed many times in
            a row, or the ledger cannot be written. Every answer up to then is in the ledger.
    """
    asked = [(request, _call(request, params)) for request in requests]
    keys = [call.key for _, call in asked]
    with Ledger(params.ledger) as ledger:
        import_recorded(ledger, params)
        said = {key: _read(entry) for key, entry in ledger.get_many(keys).items()}
        run = _Run(params, ledger, said=dict(said))
        missing = {key: pair for key, pair in zip(keys, asked, strict=True) if key not in said}
        if missing:
            calls = sorted(missing.items(), key=lambda item: item[1][0].kind)
            with Progress("asking", len(missing) + len(said), len(said), show=progress) as bar:
                run.ask([(key, call) for key, (_, call) in calls], bar)
    return _result(asked, keys, known=said, run=run, step=step)


def _call(request: Request, params: LlmParams) -> Call:
    return chat_call(params, request.messages, max_tokens=request.max_tokens, schema=request.schema)


def _read(entry: Entry) -> Completion:
    return read_completion(entry.response)


@dataclass
class _Run:
    """The state of one round of asking."""

    params: LlmParams
    ledger: Ledger
    said: dict[str, Completion]
    failed: dict[str, UnansweredError] = field(default_factory=dict)
    known: int = 0
    total: int = 0
    asked: int = 0
    failures_in_a_row: int = 0

    def ask(self, calls: list[tuple[str, Call]], bar: Progress) -> None:
        """Ask the calls, by key; raises LlmError where going on makes no sense."""
        self.known, self.total = len(self.said), len(self.said) + len(calls)
        try:
            asyncio.run(self._ask(iter(calls), min(self.params.concurrency, len(calls)), bar))
        except ExceptionGroup as group:
            raise self._explained(group) from None

    def _explained(self, group: ExceptionGroup) -> Exception:
        """The one error to show of those that ended the workers at the same time."""
        errors = sorted(group.exceptions, key=lambda error: not isinstance(error, NoServerError))
        if not isinstance(errors[0], NoServerError):
            return errors[0]
        return LlmError(
            f"no model answers at {self.params.base_url} ({errors[0]}); "
            f"{self.known} of {self.total} answers are in the ledger",
            "Start one with `cotpd llm serve`, or set llm.base_url.",
        )

    async def _ask(self, calls: Iterator[tuple[str, Call]], workers: int, bar: Progress) -> None:
        async with Client(self.params) as client, asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(client, calls, bar))

    async def _work(self, client: Client, calls: Iterator[tuple[str, Call]], bar: Progress) -> None:
        for key, call in calls:
            try:
                raw, latency = await client.complete(call.body)
            except UnansweredError as error:
                self._fail(key, error)
            else:
                # Nothing is awaited between an answer's arrival and its place in the queue: no cancel loses it.
                entry = await asyncio.wrap_future(self.ledger.submit(Entry.of(call, raw, latency)))
                self.said[key] = _read(entry)
                self.asked += 1
                self.failures_in_a_row = 0
            bar.advance(note=f"{self.known} from the ledger, {self.asked} answered, {len(self.failed)} failed")

    def _fail(self, key: str, error: UnansweredError) -> None:
        self.failed[key] = error
        if error.passing or not self.asked:  # a refused request may be the post's fault, unless all are refused
            self.failures_in_a_row += 1
        if self.failures_in_a_row >= max(_HOPELESS, 2 * self.params.concurrency):
            raise LlmError(
                f"{self.failures_in_a_row} requests in a row failed, the last one with: {error.reason}",
                f"{len(self.said)} answers are in the ledger; look at the server and run again.",
            )


def _result(
    asked: list[tuple[Request, Call]], keys: list[str], *, known: dict[str, Completion], run: _Run, step: str
) -> AskResult:
    result = AskResult(asked=run.asked)
    for (request, _), key in zip(asked, keys, strict=True):
        result.from_ledger += key in known
        if key in run.failed:
            result.failed.append(_quarantined(request, run.failed[key], step))
        else:
            result.answers.append(_answer(request, key, run.said[key]))
    return result


def _answer(request: Request, key: str, said: Completion) -> Answer:
    return Answer(
        id=request.id,
        kind=request.kind,
        text=said.text,
        source="llm",
        model=said.model,
        key=key,
        finish_reason=said.finish_reason,
    )


def _quarantined(request: Request, error: UnansweredError, step: str) -> Quarantined:
    row = {"kind": request.kind}
    return Quarantined(id=request.id, step=step, reason=error.reason, remedy=error.remedy, row=row)
