"""The files of a batch job: a line for each request, and the lines of its result files."""

import gzip
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any, cast

from cotpd.completions import Stop, classify_stop
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.outcome import UnansweredError
from cotpd.llm.transports.response_body import OversizedError
from cotpd.llm.transports.server_errors import (
    build_refusal,
    describe_broken_answer,
    is_transient_status,
    quote,
)

if TYPE_CHECKING:
    import httpx2

MAX_JOB_BYTES = 190_000_000  # of requests in one job; the API's own limit is 200 MB
_MAX_RESULT_BYTES = 4_000_000_000  # of a result file, unpacked
ASK_AGAIN = "Run the step again: it is asked anew then."

ResultLine = dict[str, Any] | str  # a JSON object, or the text of a line that is none


def split_requests(requests: Iterable[ChatRequest], max_requests: int) -> Iterator[list[ChatRequest]]:
    """Yield parts that the API takes as one file, of at most so many requests."""
    part: list[ChatRequest] = []
    size = 0
    for request in requests:
        length = len(build_line(request).encode("utf-8", "surrogatepass"))
        if part and (len(part) == max_requests or size + length > MAX_JOB_BYTES):
            yield part
            part, size = [], 0
        part.append(request)
        size += length
    if part:
        yield part


def build_line(request: ChatRequest) -> str:
    """Return a request's line in a job's file."""
    row = {"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions", "body": request.body}
    return json.dumps(row) + "\n"


def read_answer(request: ChatRequest, line: dict[str, Any]) -> Entry | UnansweredError:
    """Return the answer in a result line, or the reason why there is none."""
    response = line.get("response")
    response = response if isinstance(response, dict) else {}
    status, body = response.get("status_code"), response.get("body")
    if status == 200 and isinstance(body, dict):
        return _read_body(request, body)
    error = line.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    whole_message = str(error.get("message") if isinstance(error, dict) else error)
    message = quote(whole_message)
    if isinstance(status, int) and status >= 400 and not is_transient_status(status):
        return build_refusal(status, message, message=whole_message)
    return UnansweredError(f"status {status}: {message}", ASK_AGAIN, transient=True)


def _read_body(request: ChatRequest, body: dict[str, Any]) -> Entry | UnansweredError:
    try:
        entry = Entry.from_response(request, json.dumps(body, ensure_ascii=False))
        failed = classify_stop(entry.finish_reason) is Stop.FAILED
    except (ValueError, AttributeError, TypeError) as error:
        return UnansweredError(f"an answer that cannot be read ({error})", ASK_AGAIN, transient=True)
    if failed:
        return UnansweredError(describe_broken_answer(entry.finish_reason), ASK_AGAIN, transient=True)
    return entry


def save_results(response: "httpx2.Response") -> IO[bytes]:
    """Stream a result file to disk, so that memory holds one line at a time.

    Raises:
        OversizedError: The body is larger than any result file can be.
    """
    file, size = tempfile.TemporaryFile(), 0  # noqa: SIM115  closed by the reader of its lines
    with closing(response):
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > _MAX_RESULT_BYTES:
                raise OversizedError(_MAX_RESULT_BYTES)
            file.write(chunk)
    file.seek(0)
    is_packed = response.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip")
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file)) if is_packed else file


def read_lines(file: IO[bytes], max_length: int, mask: Callable[[str], str]) -> Iterator[ResultLine]:
    """Yield the lines of a result file, without secrets.

    Args:
        file: The file; closed at the end.
        max_length: Bytes; a longer line is cut there, and so becomes unreadable.
        mask: Removes secrets from a line.
    """
    with file:
        for line in _iterate_cut_lines(file, max_length):
            if line.strip():
                yield _parse_line(mask(line.decode("utf-8", "replace")))


def _iterate_cut_lines(file: IO[bytes], max_length: int) -> Iterator[bytes]:
    """Yield lines up to a length.

    Only a line feed ends a line: an answer may contain the other characters that Unicode counts as line breaks.
    """
    size = 0
    while (start := file.readline(max_length)) and size < _MAX_RESULT_BYTES:
        size += len(start)
        piece = start
        while piece and not piece.endswith(b"\n") and size < _MAX_RESULT_BYTES:
            piece = file.readline(max_length)
            size += len(piece)
        yield start


def _parse_line(line: str) -> ResultLine:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return value if isinstance(value, dict) else line
