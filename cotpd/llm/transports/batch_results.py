"""The results of an ended batch job: its answers, and the lines that are none."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.outcome import UnansweredError
from cotpd.llm.transports.batch_api import BatchServer
from cotpd.llm.transports.batch_lines import ResultLine, read_answer
from cotpd.llm.transports.server_errors import quote

if TYPE_CHECKING:
    from openai.types import Batch

log = logging.getLogger(__name__)

_MAX_ERRORS = 3  # of a job, in a message


@dataclass
class BatchResults:
    """The lines of a job's result files.

    Attributes:
        entries: Answers, by key; of a line that came twice, the first.
        failures: Why requests have no answer, by key.
        unknown: Lines with a key that is not in the job.
        unreadable: Lines that are no JSON object with a key.
        lost_file: What to say of a result file that the server no longer has; empty if it has all.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    failures: dict[str, UnansweredError] = field(default_factory=dict)
    unknown: dict[str, dict[str, Any]] = field(default_factory=dict)
    unreadable: list[ResultLine] = field(default_factory=list)
    lost_file: str = ""

    def add(self, line: ResultLine, texts: Mapping[str, str]) -> None:
        """Add one line to the attribute for it; ``texts`` are the job's requests as canonical JSON, by key."""
        key = line.get("custom_id") if isinstance(line, dict) else None
        if not isinstance(line, dict) or not isinstance(key, str):
            self.unreadable.append(line)
        elif key not in texts:
            self.unknown[key] = line
        else:
            answer = read_answer(ChatRequest.parse(texts[key]), line)
            if isinstance(answer, Entry):
                self.entries.setdefault(key, answer)
            else:
                self.failures[key] = answer


def read_results(server: BatchServer, job: "Batch", texts: Mapping[str, str]) -> BatchResults:
    """Download the lines of an ended job and divide them into answers, failures and unusable lines.

    Args:
        server: The server.
        job: The job.
        texts: Its requests as canonical JSON, by key.

    Raises:
        LlmError: The server cannot be reached, or refuses.
    """
    lines, lost_file = _download_lines(server, job)
    results = BatchResults(lost_file=lost_file)
    for line in lines:
        results.add(line, texts)
    return results


def _download_lines(server: BatchServer, job: "Batch") -> tuple[Iterator[ResultLine], str]:
    """Return the lines of the result files, and what to say of a file that the server no longer has."""
    files: list[Iterator[ResultLine]] = []
    lost_file = ""
    for file in (job.output_file_id, job.error_file_id):
        lines = server.download_lines(file) if file else None
        if lines is not None:
            files.append(lines)
        elif file:
            lost_file = f"the server does not have the results of batch {job.id} any more (file {file})"
            log.warning("%s; what it held is free to be asked again", lost_file)
    return chain.from_iterable(files), lost_file


def describe_end(job: "Batch") -> str:
    """Return how a job ended, with the server's errors, as the reason why a request has no answer."""
    errors = (job.errors.data or []) if job.errors else []
    messages = "; ".join(quote(str(error.message)) for error in errors[:_MAX_ERRORS])
    return f"its batch {job.id} is {job.status}" + (f": {messages}" if messages else "")
