"""A server that speaks the Batch API (files, batches) and ends its jobs as a test wants."""

import email
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.chat_server import completion

Line = dict | str | None
STATES = ("validating", "in_progress", "finalizing")


def answered(row: dict) -> Line:
    """The line of a request that was answered: its last message in capitals."""
    text = row["body"]["messages"][-1]["content"]
    return {
        "custom_id": row["custom_id"],
        "error": None,
        "response": _response(200, json.loads(completion(text.upper()))),
    }


def refused(row: dict, said: str = "context too long") -> Line:
    body = {"error": {"message": said, "code": None}}
    return {"custom_id": row["custom_id"], "error": None, "response": _response(400, body)}


def _response(status: int, body: dict) -> dict:
    return {"status_code": status, "request_id": "r", "body": body}


class BatchApi:
    """Files and jobs in memory. ``outcome`` makes a request's line, ``ends`` is the state a job ends in."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.jobs: dict[str, dict] = {}
        self.received: list[str] = []
        self.outcome: Callable[[dict], Line] = answered
        self.ends = "completed"
        self.looks = 1  # before a job ends
        self.room = 10**9  # requests that may be enqueued
        self.refusal = "Enqueued token limit reached for fake. Please try again once some batches have completed."
        self.at_creation = False  # whether a job that is too large is refused at once
        self.sizes: list[int] = []  # of the jobs that were taken
        self.faults: list[
            tuple[str, int, bool]
        ] = []  # (path's beginning, status, whether it is done all the same)
        self.headers: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._handle(self, "GET")

            def do_POST(self) -> None:
                outer._handle(self, "POST")

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def _handle(self, handler: BaseHTTPRequestHandler, method: str) -> None:
        path = urlsplit(handler.path).path.removeprefix("/v1")
        data = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.headers.append(str(handler.headers))
        at = next((n for n, fault in enumerate(self.faults) if (method + path).startswith(fault[0])), None)
        fault = self.faults.pop(at) if at is not None else None
        said = None if fault and not fault[2] else self._answer(method, path, handler, data)
        if fault:
            said, status = json.dumps({"error": {"message": "no", "code": None}}), fault[1]
        else:
            status = 429 if isinstance(said, dict) and "error" in said else 200
        body = (said if isinstance(said, str) else json.dumps(said)).encode()
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
                return {"id": self._store(_uploaded(handler, data)), "object": "file", "bytes": len(data)}
            case "GET", ["files", name, "content"]:
                return self.files[name]
            case "POST", ["batches"]:
                return self._create(json.loads(data))
            case "GET", ["batches"]:
                return {"object": "list", "data": list(self.jobs.values()), "has_more": False}
            case "GET", ["batches", name]:
                return self._looked(self.jobs[name])
        raise AssertionError(f"{method} {path}")

    def _store(self, text: str) -> str:
        name = f"file-{len(self.files)}"
        self.files[name] = text
        return name

    def _create(self, wanted: dict) -> dict:
        assert wanted["endpoint"] == "/v1/chat/completions"
        assert wanted["completion_window"] == "24h"
        rows = [json.loads(line) for line in self.files[wanted["input_file_id"]].splitlines()]
        enqueued = sum(job["request_counts"]["total"] for job in self.jobs.values() if "ended" not in job)
        refused = enqueued + len(rows) > self.room
        if not refused:
            self.sizes.append(len(rows))
            self.received += [row["body"]["messages"][-1]["content"] for row in rows]
        elif self.at_creation:
            return self._error()
        counts = {"total": len(rows), "completed": 0, "failed": 0}
        job = {
            "id": f"batch-{len(self.jobs)}",
            "object": "batch",
            "status": STATES[0],
            "created_at": 1,
            "looks": 0,
            "refused": refused,
        }
        self.jobs[job["id"]] = {**job, **wanted, "request_counts": counts}
        return self.jobs[job["id"]]

    def _looked(self, job: dict) -> dict:
        job["looks"] += 1
        job["status"] = STATES[min(job["looks"], 2)]
        if job["refused"]:
            data = [{"code": "token_limit_exceeded", "message": self.refusal}]
            job |= {"ended": True, "status": "failed", "errors": {"object": "list", "data": data}}
        elif job["looks"] > self.looks and "ended" not in job:
            job |= {"ended": True, "status": self.ends}
            rows = [json.loads(line) for line in self.files[job["input_file_id"]].splitlines()]
            lines = [line for row in rows if (line := self.outcome(row)) is not None]
            texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
            job["output_file_id"] = self._store("\n".join(texts) + "\n") if texts else None
            if self.ends == "failed":
                job["errors"] = {"object": "list", "data": [{"code": "x", "message": "the file is not valid"}]}
        elif "ended" in job:
            job["status"] = self.ends
        return job

    def _error(self) -> dict:
        return {"error": {"message": self.refusal, "code": "token_limit_exceeded"}}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _uploaded(handler: BaseHTTPRequestHandler, data: bytes) -> str:
    """The file in a multipart form."""
    form = email.message_from_bytes(f"Content-Type: {handler.headers['Content-Type']}\n\n".encode() + data)
    parts = [part for part in form.get_payload() if part.get_filename()]
    return parts[0].get_payload(decode=True).decode()
