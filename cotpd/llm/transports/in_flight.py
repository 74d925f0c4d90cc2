"""Requests in flight up to the commit of their answers: a cancelled caller drops none of them."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

GRACE = 5.0  # seconds that an interrupted run waits for the answers in flight
_READ_GRACE = 0.1  # seconds to read an answer that arrived in time while this process was busy


class InFlight:
    """Exchanges with a server, each in a task that keeps running when its caller is cancelled."""

    def __init__(self) -> None:
        self._exchanges: set[asyncio.Task[Any]] = set()

    async def wait_for(self, exchange: Coroutine[Any, Any, T]) -> T:
        """Return the result of an exchange; if the caller is cancelled, the exchange goes on."""
        task = asyncio.create_task(exchange)
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)
        task.add_done_callback(_mark_as_seen)
        return await asyncio.shield(task)

    async def drain(self, *, interrupted: bool) -> None:
        """Wait for the exchanges in flight: a few seconds if interrupted, otherwise to their own time limits."""
        if self._exchanges:
            limit = f"at most {GRACE:g} s; again ends it at once" if interrupted else "Ctrl-C ends it"
            log.warning("stopping: waiting for %d answers under way (%s)", len(self._exchanges), limit)
        try:
            await self._wait(GRACE if interrupted else None)
        except asyncio.CancelledError:  # Ctrl-C during the wait
            if not interrupted:  # the first Ctrl-C of this run: the few seconds begin now
                await self._wait(GRACE)
            raise
        finally:
            await self._cancel()

    async def _wait(self, seconds: float | None) -> None:
        if self._exchanges:
            await asyncio.wait(self._exchanges, timeout=seconds)

    async def _cancel(self) -> None:
        for task in self._exchanges:
            task.cancel()
        await asyncio.gather(*self._exchanges, return_exceptions=True)


async def finish_within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Await work for so many seconds and return its result; work that takes longer is cancelled.

    A moment more is granted, in which a busy process can read an answer that arrived in time.

    Raises:
        TimeoutError: The work was cancelled.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(_mark_as_seen)
    try:
        for timeout in (seconds, _READ_GRACE):
            await asyncio.wait({task}, timeout=timeout)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise TimeoutError
    return task.result()


def _mark_as_seen(task: "asyncio.Task[Any]") -> None:
    """Mark a task as seen if it failed: where nobody waits for it any more, asyncio would print a traceback."""
    if not task.cancelled():
        task.exception()
