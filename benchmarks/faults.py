"""Faults of a server, one after the other: how often it was asked, what was answered, lost, and asked twice.

    python -m benchmarks.faults

Each fault meets one of twelve questions, once; then the run is repeated with a sound server. Faults that end a run
are tried with one request in flight, so that what it ends with is exact; the others with four. ``lost`` counts
whole answers that were sent and that the ledger lacks, ``asked twice`` questions asked again after such an answer.
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
    """What the struck question gets: sound says whether it is an answer to keep, ends whether it ends the run."""

    send: Send
    sound: bool = False
    ends: bool = False


@dataclass
class Outcome:
    """What a fault led to: calls and answers of the first run, answers after the second, and what went wrong."""

    asked: int = 0
    answered: int = 0
    in_the_end: int = 0
    lost: int = 0
    twice: int = 0


@dataclass
class _Log:
    """Questions as the server received them, and those that it answered whole."""

    asked: list[str] = field(default_factory=list)
    sound: set[str] = field(default_factory=set)
    twice: int = 0


def completion(finish_reason: str = "stop", **message: str | None) -> str:
    """A chat completion that says "fine"."""
    choice = {
        "index": 0,
        "finish_reason": finish_reason,
        "message": {"role": "assistant", "content": "fine", **message},
    }
    return json.dumps({"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})


def reply(body: str, status: int = 200, kind: str = "application/json", headers: str = "") -> Send:
    """Send a whole HTTP answer."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(body, status, kind, headers) + body.encode())
        await writer.drain()

    return send


def _head(body: str, status: int = 200, kind: str = "application/json", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()


def _refuse(status: int, code: str = "x", headers: str = "") -> Send:
    return reply(json.dumps({"error": {"message": "no", "code": code, "type": code}}), status, headers=headers)


async def _hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5 * _PATIENCE)


async def _drip(writer: asyncio.StreamWriter) -> None:
    """A byte now and then: never silent for long, and never done in time."""
    writer.write(_head(completion()))
    for byte in completion().encode():
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.1)


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.write(_head(completion()) + b'{"id"')
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
    "502 with a page": Fault(reply("<html>bad gateway</html>", 502, "text/html")),
    "time-out": Fault(_hang),
    "slow body": Fault(_drip),
    "connection reset": Fault(_reset),
    "truncated JSON": Fault(reply(completion()[:40])),
    "wrong content type": Fault(reply(completion(), kind="text/html"), sound=True),
    "a page, status 200": Fault(reply("<html>log in</html>", kind="text/html")),
    "finish_reason length": Fault(reply(completion("length")), sound=True),
    "refusal": Fault(reply(completion(content=None, refusal="I will not")), sound=True),
    "no choice": Fault(reply('{"choices": [], "model": "m"}'), sound=True),
}


def outcome(fault: Fault, folder: Path) -> Outcome:
    """Meet a fault, then ask once more without it."""
    log, found = _Log(), Outcome()
    with _server(fault, log) as url:
        params = LlmParams(
            base_url=url,
            ledger=str(folder / "ledger.db"),
            recorded=None,
            timeout=_PATIENCE,
            concurrency=1 if fault.ends else 4,
        )
        found.answered = len(_run(params))
        found.asked = len(log.asked)
        found.lost = len(log.sound - _held(params))
        found.in_the_end = len(_run(params))
    found.twice = log.twice
    return found


def _run(params: LlmParams) -> set[str]:
    """Ask all questions; those that are in the ledger then."""
    questions = (
        Question(str(n), Kind.NOUN, [{"role": "user", "content": str(n)}], max_tokens=8) for n in range(QUESTIONS)
    )
    with suppress(LlmError):  # a fault that ends the run is one of those that are tried
        ask(questions, params, progress=False)
    return _held(params)


def _held(params: LlmParams) -> set[str]:
    with Ledger(params.ledger) as ledger:
        return {json.loads(entry.request)["body"]["messages"][0]["content"] for entry in ledger.iterate_entries()}


@contextmanager
def _server(fault: Fault, log: _Log) -> Iterator[str]:
    """A server in a thread; gives its address."""
    loop = asyncio.new_event_loop()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _exchange(reader, writer, fault, log)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()  # who asked has given up, which is part of the test, or the test is over

    listening = loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(_hang_up(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _hang_up() -> None:
    """End every conversation of this loop."""
    talks = asyncio.all_tasks() - {asyncio.current_task()}
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks)


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault, log: _Log) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    body = json.loads(await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0])))
    question = body["messages"][0]["content"]
    struck = question == STRUCK and question not in log.asked
    log.twice += question in log.sound
    log.asked.append(question)
    await (fault.send if struck else reply(completion()))(writer)
    if fault.sound or not struck:
        log.sound.add(question)


def main() -> None:
    """Print the table."""
    table = Table("fault", "asked", "answered", "after a second run", "lost", "asked twice")
    for name, fault in FAULTS.items():
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(fault, Path(folder))
        numbers = found.asked, found.answered, found.in_the_end, found.lost, found.twice
        table.add_row(name, *(str(number) for number in numbers))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
