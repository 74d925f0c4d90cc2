"""A chat server that misbehaves on demand, with the parameters and questions to ask it with."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cotpd.data.records import Kind
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question

Fault = Callable[[BaseHTTPRequestHandler], None]


def completion(text: str | None, finish_reason: str = "stop", **message) -> str:
    said = {"role": "assistant", "content": text, **message}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "fake-1",
            "choices": [{"index": 0, "finish_reason": finish_reason, "message": said}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
        }
    )


def reply(body: str, status: int = 200, kind: str = "application/json", **headers: str) -> Fault:
    def send(handler: BaseHTTPRequestHandler) -> None:
        data = body.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return send


def error(status: int, code: str | None = None, message: str = "no", **headers: str) -> Fault:
    return reply(json.dumps({"error": {"message": message, "code": code, "type": code}}), status, **headers)


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Close with a TCP reset in the middle of the exchange."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def hang(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.0)
    handler.close_connection = True


class FakeServer:
    """Answers every question with its last message in capitals, after the faults lined up for it."""

    def __init__(self) -> None:
        self.received: list[dict] = []
        self.headers: list[dict[str, str]] = []
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.by_text: dict[str, Fault] = {}
        self.latency = 0.0
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer._handle(self, body)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request, client_address) -> None:
                pass  # a client that was killed is part of the test

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def _handle(self, handler: BaseHTTPRequestHandler, body: dict) -> None:
        text = handler.question = body["messages"][-1]["content"]
        with self._lock:
            self.received.append(body)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            fault = self.faults.pop(0) if self.faults else self.by_text.get(str(text), self.always)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        time.sleep(self.latency)
        with self._lock:
            self._now -= 1
        (fault or reply(completion(str(text).upper())))(handler)

    def texts(self) -> list[str]:
        return [body["messages"][-1]["content"] for body in self.received]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def build_params(server: FakeServer, folder: Path) -> LlmParams:
    """Build the parameters that ask the fake server, with a ledger in a folder."""
    return LlmParams(
        base_url=server.base_url,
        model="fake",
        ledger=str(folder / "ledger.db"),
        recorded=None,
        retries=2,
        timeout=10,
    )


def build_questions(*texts: str, kind: Kind = Kind.NOUN) -> list[Question]:
    """Build one question a text, about the posts p0, p1, ..."""
    return [Question(f"p{n}", kind, [{"role": "user", "content": text}]) for n, text in enumerate(texts)]
