"""Exchanges in flight: what they come to after their caller is gone."""

import asyncio
import gc
from typing import Any

from cotpd.llm.transports.in_flight import InFlight


async def fail_soon() -> None:
    await asyncio.sleep(0.01)
    raise ConnectionError("nobody answers")


def test_an_exchange_that_fails_after_its_caller_was_cancelled_prints_no_traceback() -> None:
    printed: list[dict[str, Any]] = []

    async def cancel_caller() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: printed.append(context))
        in_flight = InFlight()
        caller = asyncio.create_task(in_flight.wait_for(fail_soon()))
        await asyncio.sleep(0)
        caller.cancel()
        await in_flight.drain(interrupted=False)
        await asyncio.wait({caller})
        del caller
        gc.collect()

    asyncio.run(cancel_caller())

    assert printed == []
