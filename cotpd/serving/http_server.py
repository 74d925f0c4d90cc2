"""uvicorn, with bounds that it lacks: time for a request's headers, connections, and refusals in JSON.

A client that sends headers byte by byte would otherwise hold its connection for ever.
"""

import asyncio
import json
import resource
import socket
from contextlib import suppress

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from cotpd.errors import ConfigError
from cotpd.escaping import warn
from cotpd.serving.limits import Limits
from cotpd.serving.request_guard import HEADER_BYTES, App

_SPARE_FILES = 64  # descriptors for everything but connections
_MOST_CONNECTIONS = 4000
_IDLE_SECONDS = 75  # that an open connection may wait for its next request


class BoundedConfig(uvicorn.Config):
    """uvicorn's settings, and the bounds that it does not have.

    Args:
        app: The application.
        limits: Bound reading and stopping.
    """

    def __init__(self, app: App, limits: Limits) -> None:
        self.limits, self.most_connections = limits, _count_connections()
        super().__init__(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEADER_BYTES,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=limits.stop_seconds,
        )


class BoundedProtocol(H11Protocol):
    """One connection, which is let go if its client is too slow."""

    config: BoundedConfig
    header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start a connection, or refuse it if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.config.most_connections:
            transport.write(_format_refusal(503, "too many connections", "Retry-After: 1\r\n"))
            transport.close()
        else:
            self.time_headers()

    def data_received(self, data: bytes) -> None:
        """Read what has come, and see that headers come to an end."""
        super().data_received(data)
        self.time_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self.stop_timer()
        super().connection_lost(exc)

    def time_headers(self) -> None:
        """Run the timer while a request's headers are incomplete; between requests uvicorn has its own."""
        if self.conn.their_state is not h11.IDLE:
            self.stop_timer()
        elif self.header_timer is None:
            self.header_timer = self.loop.call_later(self.config.limits.read_seconds, self.close_slow)

    def stop_timer(self) -> None:
        """Stop the timer, if it runs."""
        if self.header_timer is not None:
            self.header_timer.cancel()
            self.header_timer = None

    def close_slow(self) -> None:
        """End a connection whose headers did not come."""
        if not self.transport.is_closing():
            self.transport.write(_format_refusal(408, "the request's headers took too long"))
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or has too large headers."""
        is_large = len(self.conn.trailing_data[0]) > HEADER_BYTES
        status, problem = (431, "the request's headers are too large") if is_large else (400, msg)
        self.transport.write(_format_refusal(status, problem))
        self.transport.close()


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket at an address, on which nothing listens yet; port 0 takes a free one.

    Raises:
        ConfigError: The address is not this machine's, or is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} cannot be listened on: {error.strerror or error}", "Name another --host or --port."
        ) from None
    return listener


def build_server(app: App, limits: Limits) -> uvicorn.Server:
    """Return a server of an application, with bounds on reading and on stopping."""
    return _Server(BoundedConfig(app, limits))


def serve_application(app: App, listener: socket.socket, limits: Limits) -> None:
    """Serve on a bound socket until SIGTERM or Ctrl-C; return when what is in flight is answered."""
    with suppress(KeyboardInterrupt):  # uvicorn repeats the signal that has ended it
        build_server(app, limits).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        for listener in sockets or ():
            host, port = listener.getsockname()[:2]
            warn(f"answers at http://{f'[{host}]' if ':' in host else host}:{port}  (Ctrl-C stops it)")


def _count_connections() -> int:
    """Return how many connections may be open, which leaves descriptors for files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(_MOST_CONNECTIONS, soft - _SPARE_FILES)) if soft > 0 else _MOST_CONNECTIONS


def _format_refusal(status: int, problem: str, headers: str = "") -> bytes:
    """Return a whole answer that ends its connection."""
    body = json.dumps({"error": problem, "remedy": ""})
    return (
        f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"{headers}Connection: close\r\n\r\n{body}"
    ).encode()
