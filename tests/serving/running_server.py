"""A server in a thread of the test's process, on a free port, and ways to ask it."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cotpd.serving.application import build_application
from cotpd.serving.http_server import build_server, open_listener
from cotpd.serving.service import Service

JSON = {"Content-Type": "application/json"}


class Response(NamedTuple):
    """An answer: its status, headers by name in lower case, and its body, read if it is JSON."""

    status: int
    headers: dict[str, str]
    body: Any


class RunningServer:
    """A started server."""

    def __init__(self, service: Service, port: int) -> None:
        self.service, self.port = service, port

    def send(
        self, path: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None
    ) -> Response:
        """Send one request; a body that is no bytes is sent as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        all_headers = (JSON if body is not None else {}) | (headers or {})
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, content, all_headers)
            return read_response(connection.getresponse())
        finally:
            connection.close()

    def predict(self, body: Any, **options: Any) -> Response:
        """Ask for predictions."""
        return self.send("/v1/predict", body, **options)

    def read_metric(self, line_start: str) -> float:
        """Return the value of the first metric whose line begins so; 0 if there is none."""
        lines = self.send("/metrics").body.decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(line_start)), 0.0)

    def open_connection(self) -> socket.socket:
        """Return a connection on which a test writes bytes of its own."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


def read_response(response: http.client.HTTPResponse) -> Response:
    """Return a response with its body."""
    body: Any = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    if headers.get("content-type") == "application/json":
        body = json.loads(body)
    return Response(response.status, headers, body)


@contextmanager
def run_server(service: Service) -> Iterator[RunningServer]:
    """Start a service's server, and stop both at the end."""
    listener = open_listener("127.0.0.1", 0)
    server = build_server(build_application(service, is_logged=False), service.limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    service.start()
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield RunningServer(service, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
        service.stop()


def wait_until(is_true: Any, seconds: float = 30) -> None:
    """Wait for a condition, and fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
