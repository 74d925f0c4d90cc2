"""Clients for benchmarks of a server: each asks for one post at a time, on a connection of its own.

Trade-off: HTTP is spoken by hand, so that 64 clients take little of the cores that the server has, too.
"""

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What some clients got: answers a second, their times in milliseconds, and how many were no answer."""

    rate: float
    times: list[float]
    failures: int

    @property
    def p50(self) -> float:
        """The median time."""
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        """The time that one answer in a hundred exceeds."""
        return statistics.quantiles(self.times, n=100)[98] if len(self.times) > 1 else self.times[0]


def build_request(path: str, body: object) -> bytes:
    """Return a request as it goes over the wire."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


def run_clients(
    port: int,
    requests: Sequence[bytes],
    clients: int,
    seconds: float,
    *,
    warm_up: float = 1.0,
    meanwhile: Callable[[], object] | None = None,
) -> Load:
    """Let clients ask one request after another for so many seconds.

    Args:
        port: Of the server on this machine.
        requests: As :func:`build_request` returns them, sent in turns.
        clients: How many ask at the same time.
        seconds: That count, after the warm-up.
        warm_up: Seconds that do not count.
        meanwhile: Called in a thread when the time begins to count.
    """
    return asyncio.run(_run_clients(port, requests, clients, seconds, warm_up, meanwhile))


async def _run_clients(
    port: int,
    requests: Sequence[bytes],
    clients: int,
    seconds: float,
    warm_up: float,
    meanwhile: Callable[[], object] | None,
) -> Load:
    times: list[float] = []
    pending = itertools.cycle(requests)
    begin = time.perf_counter() + warm_up

    async def call() -> None:
        await asyncio.sleep(warm_up)
        if meanwhile is not None:
            await asyncio.to_thread(meanwhile)

    asking = (_ask_until(begin + seconds, port, pending, begin, times) for _ in range(clients))
    _, *failures = await asyncio.gather(call(), *asking)
    return Load(len(times) / (time.perf_counter() - begin), times, sum(failures))


async def _ask_until(end: float, port: int, pending: Iterator[bytes], begin: float, times: list[float]) -> int:
    """Ask one request after another, and note the times that count; return 1 if one got no answer, else 0."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while (sent := time.perf_counter()) < end:
            writer.write(next(pending))
            await _read_answer(reader)
            if (answered := time.perf_counter()) >= begin:  # also the first one of a very slow server
                times.append(1000 * (answered - sent))
    except (OSError, ValueError, asyncio.IncompleteReadError):
        return 1
    finally:
        writer.close()
    return 0


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    """Return the body of an answer.

    Raises:
        ValueError: It is another status than 200.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    if not status.startswith("HTTP/1.1 200"):
        raise ValueError(status)
    lengths = [line.split(":")[1] for line in headers if line.lower().startswith("content-length:")]
    return await reader.readexactly(int(lengths[0]))
