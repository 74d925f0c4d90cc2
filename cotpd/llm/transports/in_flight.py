"""Requests under way, and their answers up to the commit: none is dropped because its asker has given up."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)

GRACE = 5.0  # seconds that an interrupted run waits for the answers under way
_LAST_LOOK = 0.1  # seconds for what arrived while this process was too busy to read it


class InFlight:
    """Exchanges with a server, each a task of its own that a cancelled caller leaves running."""

    def __init__(self) -> None:
        self._exchanges: set[asyncio.Task[Any]] = set()

    async def wait_for(self, exchange: Coroutine[Any, Any, T]) -> T:
        """The result of an exchange, which goes on where the caller is cancelled."""
        task = asyncio.create_task(exchange)
        self._exchanges.add(task)
        task.add_done_callback(self._exchanges.discard)
        return await asyncio.shield(task)

    async def drain(self, *, interrupted: bool) -> None:
        """Wait for what is under way: each to its own limit of time, an interrupted run for a few seconds."""
        if self._exchanges:
            limit = f"at most {GRACE:g} s; again ends it at once" if interrupted else "Ctrl-C ends it"
            log.warning("stopping: waiting for %d answers under way (%s)", len(self._exchanges), limit)
        try:
            await self._wait(GRACE if interrupted else None)
        except asyncio.CancelledError:  # Ctrl-C, the first one if the run was stopped by the server
            if not interrupted:
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
    """The result of work; what arrived in time counts, even if this process was too busy to read it.

    Raises:
        TimeoutError: It took longer, and did not finish when it was cancelled.
    """
    task = asyncio.create_task(work)
    try:
        for patience in (seconds, _LAST_LOOK):
            await asyncio.wait({task}, timeout=patience)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise TimeoutError
    return task.result()
