"""The files of batch jobs: requests, a line each, and what the lines of a result file say."""

import gzip
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import IO, TYPE_CHECKING, Any

from cotpd.completions import Stop, classify_stop
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.ledger import Entry
from cotpd.llm.transports.chat_client import UnansweredError, broken_off, passes, quoted, refusal
from cotpd.llm.transports.response_body import OversizedError

if TYPE_CHECKING:
    import httpx2

MOST_BYTES = 190_000_000  # of requests in one job; the API's own limit is 200 MB
_MOST_RESULTS = 4_000_000_000  # bytes of a result file, unpacked
ANEW = "Run the step again: it is asked anew then."


def split(calls: Iterable[ChatRequest], most: int) -> Iterator[list[ChatRequest]]:
    """Parts of at most so many requests that the API takes as one file."""
    part: list[ChatRequest] = []
    size = 0
    for call in calls:
        length = len(line(call).encode("utf-8", "surrogatepass"))
        if part and (len(part) == most or size + length > MOST_BYTES):
            yield part
            part, size = [], 0
        part.append(call)
        size += length
    if part:
        yield part


def line(call: ChatRequest) -> str:
    """The line of a request."""
    row = {"custom_id": call.key, "method": "POST", "url": "/v1/chat/completions", "body": call.body}
    return json.dumps(row) + "\n"


def read_answer(call: ChatRequest, row: dict[str, Any]) -> Entry | UnansweredError:
    """The answer in a line, or why there is none."""
    response = row.get("response")
    response = response if isinstance(response, dict) else {}
    body = response.get("body")
    if response.get("status_code") == 200 and isinstance(body, dict):
        try:
            entry = Entry.from_response(call, json.dumps(body, ensure_ascii=False))
            if classify_stop(entry.finish_reason) is not Stop.FAILED:
                return entry
            return UnansweredError(broken_off(entry.finish_reason), ANEW, passing=True)
        except (ValueError, AttributeError, TypeError) as error:
            return UnansweredError(f"an answer that cannot be read ({error})", ANEW, passing=True)
    error = row.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    whole = str(error.get("message") if isinstance(error, dict) else error)
    message, status = quoted(whole), response.get("status_code")
    if isinstance(status, int) and status >= 400 and not passes(status):
        return refusal(status, message, whole=whole)
    return UnansweredError(f"status {status}: {message}", ANEW, passing=True)


def save_results(response: "httpx2.Response") -> IO[bytes]:
    """A result file, on the disk as it comes, so that memory holds a line at a time.

    Raises:
        OversizedError: It has no end.
    """
    file, size = tempfile.TemporaryFile(), 0  # noqa: SIM115
    with closing(response):
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > _MOST_RESULTS:
                raise OversizedError(_MOST_RESULTS)
            file.write(chunk)
    file.seek(0)
    packed = response.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip")
    return gzip.GzipFile(fileobj=file) if packed else file


def read_lines(file: IO[bytes], longest: int, mask: Callable[[str], str]) -> Iterator[dict[str, Any] | str]:
    """The lines of a result file, masked: objects, and what cannot be read as such, or is too long, as text."""
    with file:
        for row in _lines(file, longest):
            if row.strip():
                yield _parse(mask(row.decode("utf-8", "replace")))


def _lines(file: IO[bytes], longest: int) -> Iterator[bytes]:
    """Lines, of those that are too long the beginning."""
    # other characters that Unicode counts as line breaks may stand in an answer
    size = 0
    while (start := file.readline(longest)) and size < _MOST_RESULTS:
        size += len(start)
        more = start
        while more and not more.endswith(b"\n") and size < _MOST_RESULTS:
            more = file.readline(longest)
            size += len(more)
        yield start


def _parse(row: str) -> dict[str, Any] | str:
    try:
        value = json.loads(row)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else row
