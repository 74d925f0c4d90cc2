"""A server that speaks the Batch API (files, batches) and ends its jobs as a test wants."""

import email
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.chat_server import build_completion

Line = dict | str | None
Fault = tuple[str, int, bool]  # beginning of the path, status, whether the server does the work all the same
STATES = ("validating", "in_progress", "finalizing")


def get_question_text(row: dict) -> str:
    """Return the last message of a request in a batch."""
    return row["body"]["messages"][-1]["content"]


def build_answer_line(row: dict) -> Line:
    """Build the line of a request that was answered: its last message in capitals."""
    body = json.loads(build_completion(get_question_text(row).upper()))
    return {"custom_id": row["custom_id"], "error": None, "response": _build_response(200, body)}


def build_refusal_line(row: dict, message: str = "context too long") -> Line:
    """Build the line of a request that the server refused."""
    body = {"error": {"message": message, "code": None}}
    return {"custom_id": row["custom_id"], "error": None, "response": _build_response(400, body)}


def _build_response(status: int, body: dict) -> dict:
    return {"status_code": status, "request_id": "r", "body": body}


def _build_handler(handle: Callable[[BaseHTTPRequestHandler, str], None]) -> type[BaseHTTPRequestHandler]:
    """Build a handler that passes every GET and POST on, with its method."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            handle(self, "GET")

        def do_POST(self) -> None:
            handle(self, "POST")

        def log_message(self, *args: object) -> None:
            pass

    return Handler


class BatchApi:
    """Files and jobs in memory. ``outcome`` makes a request's line, ``ends`` is the state a job ends in."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.jobs: dict[str, dict] = {}
        self.received: list[str] = []
        self.outcome: Callable[[dict], Line] = build_answer_line
        self.ends = "completed"
        self.looks = 1  # before a job ends
        self.room = 10**9  # requests that may be enqueued
        self.refusal = "Enqueued token limit reached for fake. Please try again once some batches have completed."
        self.at_creation = False  # whether a job that is too large is refused at once
        self.sizes: list[int] = []  # of the jobs that were taken
        self.faults: list[Fault] = []
        self.headers: list[str] = []

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _build_handler(self.handle))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def handle(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        """Answer one request, or meet it with the first fault that is lined up for its path."""
        path = urlsplit(handler.path).path.removeprefix("/v1")
        data = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.headers.append(str(handler.headers))

        fault = self._take_fault(method + path)
        answer = None if fault and not fault[2] else self._answer(method, path, handler, data)
        if fault:
            answer, status = json.dumps({"error": {"message": "no", "code": None}}), fault[1]
        else:
            status = 429 if isinstance(answer, dict) and "error" in answer else 200

        self._send(handler, answer if isinstance(answer, str) else json.dumps(answer), status, path)

    def _take_fault(self, call: str) -> Fault | None:
        index = next((n for n, fault in enumerate(self.faults) if call.startswith(fault[0])), None)
        return self.faults.pop(index) if index is not None else None

    def _send(self, handler: BaseHTTPRequestHandler, text: str, status: int, path: str) -> None:
        body = text.encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        if 300 <= status < 400:
            handler.send_header("Location", self.base_url + path)
        handler.end_headers()
        handler.wfile.write(body)

    def _answer(self, method: str, path: str, handler: BaseHTTPRequestHandler, data: bytes) -> object:
        match method, path.strip("/").split("/"):
            case "POST", ["files"]:
                return {"id": self._store(_read_upload(handler, data)), "object": "file", "bytes": len(data)}
            case "GET", ["files", name, "content"]:
                return self.files[name]
            case "POST", ["batches"]:
                return self._create(json.loads(data))
            case "GET", ["batches"]:
                return {"object": "list", "data": list(self.jobs.values()), "has_more": False}
            case "GET", ["batches", name]:
                return self._advance(self.jobs[name])
        raise AssertionError(f"{method} {path}")

    def _store(self, text: str) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = text
        return name

    def _create(self, request: dict) -> dict:
        """Take a job, or refuse it if the queue has no room: at once, or by a job that will fail."""
        assert request["endpoint"] == "/v1/chat/completions"
        assert request["completion_window"] == "24h"
        rows = [json.loads(line) for line in self.files[request["input_file_id"]].splitlines()]

        enqueued = sum(job["request_counts"]["total"] for job in self.jobs.values() if "ended" not in job)
        is_refused = enqueued + len(rows) > self.room
        if is_refused and self.at_creation:
            return {"error": {"message": self.refusal, "code": "token_limit_exceeded"}}
        if not is_refused:
            self.sizes.append(len(rows))
            self.received += [get_question_text(row) for row in rows]

        name = f"batch-{len(self.jobs)}"
        job = {"id": name, "object": "batch", "status": STATES[0], "created_at": 1, "looks": 0}
        counts = {"total": len(rows), "completed": 0, "failed": 0}
        self.jobs[name] = {**job, "refused": is_refused, **request, "request_counts": counts}
        return self.jobs[name]

    def _advance(self, job: dict) -> dict:
        """Bring a job one state on, as each look at it does."""
        job["looks"] += 1
        job["status"] = STATES[min(job["looks"], 2)]
        if job["refused"]:
            data = [{"code": "token_limit_exceeded", "message": self.refusal}]
            job |= {"ended": True, "status": "failed", "errors": {"object": "list", "data": data}}
        elif job["looks"] > self.looks and "ended" not in job:
            self._end(job)
        elif "ended" in job:
            job["status"] = self.ends
        return job

    def _end(self, job: dict) -> None:
        """Write the results of a job and give it its last state."""
        job |= {"ended": True, "status": self.ends}

        rows = [json.loads(line) for line in self.files[job["input_file_id"]].splitlines()]
        lines = [line for line in map(self.outcome, rows) if line is not None]
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        job["output_file_id"] = self._store("\n".join(texts) + "\n") if texts else None

        if self.ends == "failed":
            job["errors"] = {"object": "list", "data": [{"code": "x", "message": "the file is not valid"}]}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _read_upload(handler: BaseHTTPRequestHandler, data: bytes) -> str:
    """Return the file in a multipart form."""
    form = email.message_from_bytes(f"Content-Type: {handler.headers['Content-Type']}\n\n".encode() + data)
    parts = [part for part in form.get_payload() if part.get_filename()]
    return parts[0].get_payload(decode=True).decode()
