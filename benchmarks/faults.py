"""Faults of a server, one after the other: how many requests it got, and which answers were lost or asked twice.

    python -m benchmarks.faults

Each fault strikes one of twelve questions, once; then the run is repeated without the fault. Faults that end a run
are tried with one request in flight, so that the number of answers before the end is exact; the others with four.
``lost`` counts whole answers that the server sent and the ledger lacks, ``asked twice`` the questions that
were asked again after such an answer.
"""

import asyncio
import json
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cotpd.data.records import Kind
from cotpd.errors import LlmError
from cotpd.llm.ask import ask
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question

QUESTIONS, STRUCK, _PATIENCE = 12, "5", 2.0
Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """A faulty response to the struck question."""

    send: Send
    sound: bool = False
    """It is an answer all the same, and belongs into the ledger."""
    ends: bool = False
    """It ends the run."""


@dataclass
class Outcome:
    """Counts of two runs, the first of which met a fault."""

    asked: int = 0
    """Requests of the first run."""
    answered: int = 0
    """Answers in the ledger after the first run."""
    in_the_end: int = 0
    """Answers in the ledger after the second run."""
    lost: int = 0
    """Whole answers that the server sent in the first run and the ledger lacks."""
    twice: int = 0
    """Requests for a question that was answered whole before."""


@dataclass
class _Log:
    """Questions in the order in which the server received them, and those that it answered whole."""

    asked: list[str] = field(default_factory=list)
    sound: set[str] = field(default_factory=set)
    twice: int = 0


def build_completion(finish_reason: str = "stop", **message: str | None) -> str:
    """Return a chat completion that says "fine", as JSON."""
    choice = {
        "index": 0,
        "finish_reason": finish_reason,
        "message": {"role": "assistant", "content": "fine", **message},
    }
    return json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


def make_sender(body: str, status: int = 200, kind: str = "application/json", headers: str = "") -> Send:
    """Return a function that sends a whole HTTP response."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(_build_head(body, status, kind, headers) + body.encode())
        await writer.drain()

    return send


def _build_head(body: str, status: int = 200, kind: str = "application/json", headers: str = "") -> bytes:
    """Return status line and headers of a response."""
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()


def _refuse(status: int, code: str = "x", headers: str = "") -> Send:
    """Return a function that sends an error in OpenAI's form."""
    body = json.dumps({"error": {"message": "no", "code": code, "type": code}})
    return make_sender(body, status, headers=headers)


async def _send_nothing(_: asyncio.StreamWriter) -> None:
    """Stay silent for longer than the client waits."""
    await asyncio.sleep(5 * _PATIENCE)


async def _send_slowly(writer: asyncio.StreamWriter) -> None:
    """Send a byte every 0.1 s: never silent for long, and never finished in time."""
    writer.write(_build_head(build_completion()))
    for byte in build_completion().encode():
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def _reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection within the body."""
    writer.write(_build_head(build_completion()) + b'{"id"')
    await writer.drain()
    writer.transport.abort()


FAULTS = {
    "429, retry-after": Fault(_refuse(429, headers="retry-after: 0.2\r\n")),
    "429": Fault(_refuse(429)),
    "quota used up": Fault(_refuse(429, "insufficient_quota"), ends=True),
    "no balance": Fault(_refuse(402, "insufficient_balance"), ends=True),
    "key refused": Fault(_refuse(401), ends=True),
    "400": Fault(_refuse(400)),
    "500": Fault(_refuse(500)),
    "502 with a page": Fault(make_sender("<html>bad gateway</html>", 502, "text/html")),
    "time-out": Fault(_send_nothing),
    "slow body": Fault(_send_slowly),
    "connection reset": Fault(_reset),
    "truncated JSON": Fault(make_sender(build_completion()[:40])),
    "wrong content type": Fault(make_sender(build_completion(), kind="text/html"), sound=True),
    "a page, status 200": Fault(make_sender("<html>log in</html>", kind="text/html")),
    "finish_reason length": Fault(make_sender(build_completion("length")), sound=True),
    "refusal": Fault(make_sender(build_completion(content=None, refusal="I will not")), sound=True),
    "no choice": Fault(make_sender('{"choices": [], "model": "m"}'), sound=True),
}


def measure_outcome(fault: Fault, folder: Path) -> Outcome:
    """Ask all questions of a server that strikes one with a fault, then once more; return the counts."""
    log, outcome = _Log(), Outcome()
    with _run_server(fault, log) as url:
        params = LlmParams(
            base_url=url,
            ledger=str(folder / "ledger.db"),
            recorded=None,
            timeout=_PATIENCE,
            concurrency=1 if fault.ends else 4,
        )
        outcome.answered = len(_ask_all(params))
        outcome.asked = len(log.asked)
        outcome.lost = len(log.sound - _read_answered(params))
        outcome.in_the_end = len(_ask_all(params))
    outcome.twice = log.twice
    return outcome


def _ask_all(params: LlmParams) -> set[str]:
    """Ask all questions; return those whose answer is then in the ledger."""
    questions = (
        Question(str(n), Kind.NOUN, [{"role": "user", "content": str(n)}], max_tokens=8) for n in range(QUESTIONS)
    )
    with suppress(LlmError):  # some of the faults end the run
        ask(questions, params, progress=False)
    return _read_answered(params)


def _read_answered(params: LlmParams) -> set[str]:
    """Return the questions whose answer is in the ledger."""
    with Ledger(params.ledger) as ledger:
        return {json.loads(entry.request)["body"]["messages"][0]["content"] for entry in ledger.iterate_entries()}


@contextmanager
def _run_server(fault: Fault, log: _Log) -> Iterator[str]:
    """Run a server in a thread; give its address."""
    loop = asyncio.new_event_loop()

    async def answer_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _exchange(reader, writer, fault, log)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()  # the client gave up, as some faults make it do, or the run is over

    server = loop.run_until_complete(asyncio.start_server(answer_requests, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_connections(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _cancel_connections() -> None:
    """End the tasks of all connections of this loop."""
    connections = asyncio.all_tasks() - {asyncio.current_task()}
    for connection in connections:
        connection.cancel()
    await asyncio.gather(*connections)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault, log: _Log) -> None:
    """Read a request, log its question, and answer it or strike it with the fault."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    body = json.loads(await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0])))
    question = body["messages"][0]["content"]

    is_struck = question == STRUCK and question not in log.asked
    log.twice += question in log.sound
    log.asked.append(question)
    await (fault.send if is_struck else make_sender(build_completion()))(writer)
    if fault.sound or not is_struck:
        log.sound.add(question)


def main() -> None:
    """Try every fault and print a table of the outcomes."""
    table = Table("fault", "asked", "answered", "after a second run", "lost", "asked twice")
    for name, fault in FAULTS.items():
        with tempfile.TemporaryDirectory() as folder:
            outcome = measure_outcome(fault, Path(folder))
        numbers = outcome.asked, outcome.answered, outcome.in_the_end, outcome.lost, outcome.twice
        table.add_row(name, *(str(number) for number in numbers))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
