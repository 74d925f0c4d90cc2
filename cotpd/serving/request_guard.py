"""The outermost layer of the application: it times, counts and logs every answer, and bounds slow clients.

An answer that is ready before its request was read to the end, such as the refusal of 10 MB, waits a moment and
drops what still comes: most clients read no answer while they write, and would see a broken connection.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from cotpd.escaping import warn
from cotpd.serving.access_log import describe_failure, log_request
from cotpd.serving.limits import Limits
from cotpd.serving.service_metrics import ServiceMetrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

DETAILS = "cotpd.details"
"""The key of a scope under which a route notes what the log shall say: texts and version."""
ABANDONED = 499
"""The status that is logged, as nginx does, for a client that went away before its answer."""
HEADER_BYTES = 32 << 10
"""The most of a request's headers and path; the HTTP library only bounds what it has not read to the end."""
_DRAIN_SECONDS, _DRAIN_BYTES = 2.0, 64 << 20
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
]


class RequestGuard:
    """An ASGI application around another.

    Args:
        app: Answers requests.
        routes: The paths that are counted and logged by name.
        limits: Bound the time for writing.
        metrics: Count requests.
        is_logged: Whether to write the access log.
    """

    def __init__(
        self, app: App, routes: frozenset[str], limits: Limits, metrics: ServiceMetrics, is_logged: bool
    ) -> None:
        self._app, self._routes, self._limits = app, routes, limits
        self._metrics, self._is_logged = metrics, is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand on the events of start and end."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        exchange = _Exchange(receive, send, self._limits.write_seconds)
        scope[DETAILS] = {}
        try:
            if _measure_head(scope) > HEADER_BYTES:
                await _refuse_head(exchange)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.is_gone:
                exchange.status = ABANDONED
            elif not isinstance(error, TimeoutError):
                warn(f"error: a request failed: {describe_failure(error)}")
                self._metrics.record_error("internal")
            if exchange.status is None:
                raise
            # else the answer is out or cannot be written: the server closes the connection of a broken one
        finally:
            self._record(scope, exchange.status or ABANDONED, time.perf_counter() - began)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = scope["path"] if scope["path"] in self._routes else "other"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.record_request(route, method, status, seconds)
        if self._is_logged:
            client = scope["client"][0] if scope.get("client") else "-"
            log_request(client, method, route, status, seconds, scope[DETAILS])


class _Exchange:
    """One request and its answer, on their way through."""

    def __init__(self, receive: Receive, send: Send, write_seconds: float) -> None:
        self._receive, self._send, self._write_seconds = receive, send, write_seconds
        self._is_read = self.is_gone = False
        self.status: int | None = None

    async def receive(self) -> Message:
        """Return the next part of the request."""
        message = await self._receive()
        self.is_gone = message["type"] == "http.disconnect"
        self._is_read = self._is_read or self.is_gone or not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the answer.

        Raises:
            TimeoutError: The client does not take it.
        """
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", ()), *_HEADERS]
            if not self._is_read:
                await self._drain()
            if not self._is_read:
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        async with asyncio.timeout(self._write_seconds):
            await self._send(message)

    async def _drain(self) -> None:
        """Drop the part of the request that nothing reads, within bounds."""
        size = 0
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                while not self._is_read and size < _DRAIN_BYTES:
                    size += len((await self.receive()).get("body", b""))
        except TimeoutError:
            return


def _measure_head(scope: Scope) -> int:
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    return headers + len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))


async def _refuse_head(exchange: _Exchange) -> None:
    body = json.dumps({"error": "the request's headers are too large", "remedy": "Send fewer."}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await exchange.send({"type": "http.response.start", "status": 431, "headers": headers})
    await exchange.send({"type": "http.response.body", "body": body})
