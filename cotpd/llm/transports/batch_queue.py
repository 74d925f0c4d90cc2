"""How much a server's queue of batches takes at a time: learnt from its refusals.

Trade-off: jobs are as large as the API allows until one is refused for the tokens that are enqueued; from then on
one job is in the queue at a time, of the size that fits. Tokens are estimated from bytes: a server counts them by
a vocabulary that is not at hand.
"""

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.transports.chat_client import quoted

if TYPE_CHECKING:
    from openai.types import Batch

ALONE = "No batch of this server's takes it: wait until its others have ended, or set llm.mode: live."

log = logging.getLogger(__name__)

_A_TOKEN = 3  # bytes
_SPARE = 0.8  # of a limit that the server names


class Queue:
    """What may be submitted, and the questions that wait until there is room.

    Args:
        most: Requests in one job.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.waiting: list[ChatRequest] = []
        self._refused = False

    def refuses(self, job: "Batch") -> bool:
        """Whether a job has failed because too many tokens are enqueued."""
        errors = (job.errors.data or []) if job.status == "failed" and job.errors else []
        return any(is_about_room(error.code, error.message) for error in errors)

    def is_full(self, jobs: int) -> bool:
        """Whether a further job has to wait for those in the queue."""
        return self._refused and jobs > 0

    def put_off(self, calls: Sequence[ChatRequest]) -> None:
        """Keep questions until there is room."""
        self.waiting += calls

    def take(self) -> list[ChatRequest]:
        """All questions that wait; those for which there is still no room are put off again."""
        calls, self.waiting = self.waiting, []
        return calls

    def shrink(self, calls: Sequence[ChatRequest], reason: str, others: int) -> bool:
        """Make jobs smaller after one of these questions was refused; False if it cannot be made smaller.

        With other jobs in the queue it may fit as soon as they have ended.
        """
        self._refused = True
        if others == 0:
            if len(calls) == 1:
                return False
            self.most = min(len(calls) // 2, _fitting(calls, reason))
        log.warning("%s; submitted again, %d questions at a time (llm.batch_requests)", reason, self.most)
        return True

    def describe(self) -> str:
        """The questions that wait, for a message."""
        if not self.waiting:
            return ""
        return f"; {len(self.waiting)} questions wait for room in its queue, {self.most} at a time"


def is_about_room(code: str | None, message: str | None) -> bool:
    """Whether a refusal says that too many tokens are enqueued."""
    return code == "token_limit_exceeded" or "enqueued token" in quoted(str(message)).lower()


def _fitting(calls: Sequence[ChatRequest], reason: str) -> int:
    """How many such questions fit into the limit that a refusal names; all of them where it names none."""
    limit = re.search(r"limit:?\s*([\d,]{4,})", reason, re.IGNORECASE)
    if limit is None:
        return len(calls)
    tokens = sum(len(call.text) // _A_TOKEN + call.most for call in calls)
    return max(1, int(_SPARE * int(limit[1].replace(",", "")) * len(calls) / max(1, tokens)))
