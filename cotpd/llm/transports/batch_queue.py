"""How much a server's queue of batch jobs takes: learned from its refusals.

Trade-off: jobs are as large as the API allows until one is refused because too many tokens are enqueued. From then
on one job is in the queue at a time, of the size that fits. Tokens are estimated from bytes, because the server's
vocabulary is not at hand.
"""

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cotpd.counts import format_count
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.transports.server_errors import quote

if TYPE_CHECKING:
    from openai.types import Batch

log = logging.getLogger(__name__)

NO_ROOM = "No batch of this server's takes it: wait until its others have ended, or set llm.mode: live."
_BYTES_PER_TOKEN = 3
_SAFE_SHARE = 0.8  # of a limit that the server names: tokens are only estimated


class BatchQueue:
    """The size of the next job, and the requests that wait until the server has room.

    Args:
        max_requests: Requests in one job.
    """

    def __init__(self, max_requests: int) -> None:
        self.max_requests = max_requests
        self.waiting: list[ChatRequest] = []
        self._was_refused = False

    def is_refusal(self, job: "Batch") -> bool:
        """Whether a job has failed because too many tokens are enqueued."""
        errors = (job.errors.data or []) if job.status == "failed" and job.errors else []
        return any(is_about_room(error.code, error.message) for error in errors)

    def is_full(self, jobs: int) -> bool:
        """Whether the next job has to wait for the ``jobs`` that the server works on."""
        return self._was_refused and jobs > 0

    def put_off(self, requests: Sequence[ChatRequest]) -> None:
        """Keep requests until there is room."""
        self.waiting += requests

    def take_all(self) -> list[ChatRequest]:
        """Remove and return all requests that wait."""
        requests, self.waiting = self.waiting, []
        return requests

    def shrink(self, requests: Sequence[ChatRequest], reason: str, other_jobs: int) -> bool:
        """Make jobs smaller after one of these requests was refused; False if it cannot be made smaller.

        While other jobs are in the queue the size stays: this one may fit as soon as they have ended.

        Args:
            requests: The requests of the refused job.
            reason: The server's reason, which may name its limit.
            other_jobs: Jobs in the queue.
        """
        self._was_refused = True
        if other_jobs == 0:
            if len(requests) == 1:
                return False
            self.max_requests = min(len(requests) // 2, _estimate_fitting(requests, reason))
        log.warning("%s; submitted again, %d questions at a time (llm.batch_requests)", reason, self.max_requests)
        return True

    def describe(self) -> str:
        """Return how many requests wait, as the end of a message; empty if none does."""
        if not self.waiting:
            return ""
        questions = format_count(len(self.waiting), "question waits", "questions wait")
        return f"; {questions} for room in its queue, {self.max_requests} at a time"


def is_about_room(code: str | None, message: str | None) -> bool:
    """Whether an error says that too many tokens are enqueued."""
    return code == "token_limit_exceeded" or "enqueued token" in quote(str(message)).lower()


def _estimate_fitting(requests: Sequence[ChatRequest], reason: str) -> int:
    """Return how many such requests fit into the limit that a reason names; all of them if it names none."""
    limit = re.search(r"limit:?\s*([\d,]{4,})", reason, re.IGNORECASE)
    if limit is None:
        return len(requests)
    tokens = sum(len(request.text) // _BYTES_PER_TOKEN + request.max_answer_tokens for request in requests)
    allowed = _SAFE_SHARE * int(limit[1].replace(",", ""))
    return max(1, int(allowed * len(requests) / max(1, tokens)))
