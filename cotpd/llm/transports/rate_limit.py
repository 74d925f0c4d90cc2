"""The rate of requests: the configured limits, and those that a server states in its headers.

Trade-off: requests are spaced evenly, so that any minute keeps within its limit without a list of past requests;
the burst that a limit would allow at the start is given up for it.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime

_MAX_PAUSE = 120.0  # seconds; a server may ask for less
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class RateLimit:
    """Decides when the next request may be sent.

    Args:
        requests: The most requests in any minute; None for no limit.
        tokens: The most tokens in any minute, sent and allowed to come back, not counting the last request's; None
            for no limit.
        clock: Returns monotonic seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        requests: float | None = None,
        tokens: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._seconds_per_request = 60 / requests if requests else 0.0
        self._seconds_per_token = 60 / tokens if tokens else 0.0
        self._clock, self._sleep = clock, sleep
        self._next_by_requests = self._next_by_tokens = self._paused_until = float("-inf")

    async def wait_for_slot(self, tokens: float) -> None:
        """Wait until a request may be sent that takes at most so many tokens, answer included."""
        slot = self._reserve(tokens)
        while (wait := slot - self._clock()) > 0:
            await self._sleep(wait)
            if self._paused_until > slot:  # the server asked for a pause meanwhile: take a slot after it
                slot = self._reserve(tokens)

    def _reserve(self, tokens: float) -> float:
        """Take the next slot and return its time."""
        slot = max(self._clock(), self._next_by_requests, self._next_by_tokens, self._paused_until)
        self._next_by_requests, self._next_by_tokens = (
            slot + self._seconds_per_request,
            slot + tokens * self._seconds_per_token,
        )
        return slot

    def give_back(self, unused: float) -> None:
        """Give back tokens that were reserved for a request and not used."""
        self._next_by_tokens -= unused * self._seconds_per_token

    def pause_all(self, seconds: float) -> None:
        """Let no request be sent for some seconds."""
        self._paused_until = max(self._paused_until, self._clock() + min(seconds, _MAX_PAUSE))

    def obey_headers(self, headers: Mapping[str, str]) -> None:
        """Pause if an answer's headers say that no requests or tokens are left."""
        for unit in ("requests", "tokens"):
            wait = parse_wait(headers.get(f"x-ratelimit-reset-{unit}"))
            if wait is not None and _is_zero(headers.get(f"x-ratelimit-remaining-{unit}")):
                self.pause_all(wait)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a refusal asks to wait: ``retry-after-ms``, or ``retry-after`` as number or date."""
    if (wait := parse_wait(headers.get("retry-after-ms"), unit=0.001)) is not None:
        return wait
    value = headers.get("retry-after")
    if (wait := parse_wait(value)) is not None or value is None:
        return wait
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def parse_wait(value: str | None, unit: float = 1.0) -> float | None:
    """Return the seconds in a header: a number of units, or parts such as ``6m0s``; None for anything else."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text) * unit
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + name for number, name in parts) != text:
        return None
    return sum(float(number) * _SECONDS[name] for number, name in parts)


def _is_zero(value: str | None) -> bool:
    try:
        return value is not None and float(value) <= 0
    except ValueError:
        return False
