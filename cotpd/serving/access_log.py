"""The access log: one line of JSON for each answer, on standard output, and never a client's text.

Trade-off: a path is logged by the route that it means, since a path or query may hold a text as well.
"""

import json
import sys
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any


def log_request(
    client: str, method: str, route: str, status: int, seconds: float, details: dict[str, Any]
) -> None:
    """Write the line of one answer.

    Args:
        client: Its address.
        method: One of HTTP's.
        route: A path of the server, or "other".
        status: The status of the answer; 499 if the client went away before.
        seconds: From the request's headers to the answer's end.
        details: Number of texts and version, where there are any.
    """
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = {"time": time, "client": client, "method": method, "route": route, "status": status}
    line |= {"ms": round(1000 * seconds, 1)} | details
    with suppress(OSError, ValueError):  # a reader that has gone, or a full disk, ends no server
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


def describe_failure(error: BaseException) -> str:
    """Return an unexpected error's type and line; its message may quote a text."""
    frames = traceback.extract_tb(error.__traceback__)
    location = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{location}"
