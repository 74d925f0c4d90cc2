"""How fast to ask: limits of one's own, and those that a server states in its headers.

Trade-off: requests are spaced evenly instead of sent in bursts, which keeps any minute within its limit without
a list of past requests; a first burst that a limit would allow is given up for it.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime

_LONGEST = 120.0  # seconds; of what a server may ask for
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class RateLimit:
    """When the next request may go.

    No minute holds more than ``requests`` requests; no minute more tokens than ``tokens``, beyond the last
    request's own.

    Args:
        requests: A minute; None has no limit.
        tokens: A minute, sent and allowed to come back; None has no limit.
        clock: Seconds, monotonic.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        requests: float | None = None,
        tokens: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._a_request = 60 / requests if requests else 0.0
        self._a_token = 60 / tokens if tokens else 0.0
        self._clock, self._sleep = clock, sleep
        self._request_at = self._tokens_at = self._held_until = float("-inf")

    async def wait_for_slot(self, tokens: float) -> None:
        """Wait for one's turn to send a request of at most so many tokens, answer included."""
        at = self._reserve(tokens)
        while (wait := at - self._clock()) > 0:
            await self._sleep(wait)
            if self._held_until > at:  # somebody was told to wait meanwhile: the place behind that is another
                at = self._reserve(tokens)

    def _reserve(self, tokens: float) -> float:
        at = max(self._clock(), self._request_at, self._tokens_at, self._held_until)
        self._request_at, self._tokens_at = at + self._a_request, at + tokens * self._a_token
        return at

    def give_back(self, unused: float) -> None:
        """Give back tokens that a request was allowed and did not use."""
        self._tokens_at -= unused * self._a_token

    def pause_all(self, seconds: float) -> None:
        """Send nothing for so long."""
        self._held_until = max(self._held_until, self._clock() + min(seconds, _LONGEST))

    def obey_headers(self, headers: Mapping[str, str]) -> None:
        """Hold back where an answer's headers say that nothing is left for now."""
        for what in ("requests", "tokens"):
            wait = parse_wait(headers.get(f"x-ratelimit-reset-{what}"))
            if wait is not None and _is_zero(headers.get(f"x-ratelimit-remaining-{what}")):
                self.pause_all(wait)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a refusal asks to wait: ``retry-after-ms``, or ``retry-after`` as a number or a date."""
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
    """Seconds of a header: a plain number of units, or parts such as ``6m0s`` and ``20ms``; None for another."""
    if value is None:
        return None
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text) * unit
    parts = _PART.findall(text)
    if not parts or "".join(number + name for number, name in parts) != text:
        return None
    return sum(float(number) * _SECONDS[name] for number, name in parts)


def _is_zero(value: str | None) -> bool:
    try:
        return value is not None and float(value) <= 0
    except ValueError:
        return False
