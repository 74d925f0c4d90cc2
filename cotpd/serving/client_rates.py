"""A limit on the requests of each client: a bucket of tokens that fills at the allowed rate."""

import time
from collections import OrderedDict
from collections.abc import Callable

_MOST_CLIENTS = 10_000  # remembered; the one that has been silent for longest is forgotten first


class ClientRates:
    """The buckets of all clients.

    Args:
        rate: Requests a second; twice as many may come at once. 0 sets no limit.
        clock: Returns seconds.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._size = max(1.0, 2 * rate)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client to its tokens and their time

    def take(self, client: str) -> float:
        """Count a request; return 0 if it is allowed, otherwise the seconds until one is."""
        if not self._rate:
            return 0.0
        now = self._clock()
        tokens, since = self._buckets.pop(client, (self._size, now))
        tokens = min(self._size, tokens + (now - since) * self._rate)
        is_allowed = tokens >= 1
        self._buckets[client] = (tokens - 1 if is_allowed else tokens, now)
        if len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if is_allowed else (1 - tokens) / self._rate
