"""A chat server that misbehaves on demand, with the parameters, questions and scripts to ask it with."""

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cotpd.data.records import Kind
from cotpd.llm.chat_request import ChatRequest, build_chat_request
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.params import LlmParams
from cotpd.llm.question import Question

Fault = Callable[[BaseHTTPRequestHandler], None]
ENTRY_PARAMS = LlmParams(base_url="http://host/v1", model="fake")
ASK_SIXTY = """
import signal, sys
# a background job of a shell inherits that Ctrl-C is ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
from cotpd.llm.params import LlmParams
from cotpd.data.records import Kind
from cotpd.llm.ask import ask_all
from cotpd.llm.question import Question
params = LlmParams.model_validate_json(sys.argv[1])
ask_all([Question(str(n), Kind.NOUN, [{"role": "user", "content": str(n)}]) for n in range(60)], params)
"""


def build_completion(text: str | None, finish_reason: str = "stop", **fields) -> str:
    """Build the body of a chat completion; fields go into its message."""
    message = {"role": "assistant", "content": text, **fields}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "fake-1",
            "choices": [{"index": 0, "finish_reason": finish_reason, "message": message}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
        }
    )


def build_reply(body: str, status: int = 200, kind: str = "application/json", **headers: str) -> Fault:
    """Build a fault that sends a body whole; an underscore in a header's name is a hyphen."""

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


def build_error(status: int, code: str | None = None, message: str = "no", **headers: str) -> Fault:
    """Build a fault that sends an error as OpenAI words it."""
    return build_reply(json.dumps({"error": {"message": message, "code": code, "type": code}}), status, **headers)


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Close with a TCP reset in the middle of the exchange."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def hang(handler: BaseHTTPRequestHandler) -> None:
    """Answer nothing for a second, then close."""
    time.sleep(1.0)
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address) -> None:
        pass  # a test kills clients in the middle of a request


def _build_handler(
    answer: Callable[[BaseHTTPRequestHandler, dict], None],
) -> type[BaseHTTPRequestHandler]:
    """Build a handler that passes the body of every POST on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, *args: object) -> None:
            pass

    return Handler


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

        self._server = _Server(("127.0.0.1", 0), _build_handler(self.answer))
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def answer(self, handler: BaseHTTPRequestHandler, body: dict) -> None:
        """Answer one request, on a thread of its own."""
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

        (fault or build_reply(build_completion(str(text).upper())))(handler)

    def list_texts(self) -> list[str]:
        """Return the last message of every request, in the order of their arrival."""
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


def build_entry(text: str, answer: str = "yes", **params) -> Entry:
    """Build what the ledger keeps of a question and its answer, without asking; params change ENTRY_PARAMS."""
    messages = [{"role": "system", "content": "be short"}, {"role": "user", "content": text}]
    request = build_chat_request(ENTRY_PARAMS.model_copy(update=params), messages, max_tokens=8)
    return Entry.from_response(request, build_completion(answer), latency=0.5)


def list_committed_texts(params: LlmParams) -> set[str]:
    """Return the last message of every request whose answer is in the ledger."""
    with Ledger(params.ledger) as ledger:
        requests = [ChatRequest.parse(entry.request) for entry in ledger.iterate_entries()]
    return {request.body["messages"][-1]["content"] for request in requests}
