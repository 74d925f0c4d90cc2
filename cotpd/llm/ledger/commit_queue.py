"""A writer thread that commits answers together, so that many requests in flight share one wait for the disk."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from cotpd.errors import LlmError
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.store import DiskFullError, RowError

_MAX_BATCH = 256  # answers in one commit
_CLOSE_TIMEOUT = 300.0  # seconds; a commit waits at most one minute for another process, and few are queued up
_STUCK = "Another process or the disk holds the ledger up: look at it, and run again; committed answers are safe."
_SINGLE_ROW_ERRORS = RowError, DiskFullError  # one answer of a batch may meet them and the others not


Pending = tuple[Entry, "Future[Entry]"]


class CommitQueue:
    """Answers that wait for the next commit.

    Args:
        name: The database, for messages.
        commit: Commits answers, and returns what the ledger then holds under each key.
    """

    def __init__(self, name: str, commit: Callable[[list[Entry]], dict[str, Entry]]) -> None:
        self._name, self._commit = name, commit
        self._queue: queue.SimpleQueue[Pending | None] = queue.SimpleQueue()
        self._start_lock = threading.Lock()  # of the thread's start alone: submit never waits for a commit
        self._writer: threading.Thread | None = None

    def submit(self, entry: Entry) -> "Future[Entry]":
        """Queue an answer for the next commit; the future is done once it is committed."""
        committed: Future[Entry] = Future()
        committed.set_running_or_notify_cancel()  # a caller that stops waiting must not undo a paid answer
        with self._start_lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._commit_until_closed, name="ledger", daemon=True)
                self._writer.start()
        self._queue.put((entry, committed))
        return committed

    def close(self) -> None:
        """Commit what is queued and end the thread; raises LlmError if that takes some minutes."""
        if self._writer is None:
            return
        self._queue.put(None)
        self._writer.join(_CLOSE_TIMEOUT)
        if self._writer.is_alive():
            raise LlmError(f"{self._name}: the last answers are still not committed", _STUCK)
        self._writer = None

    def _commit_until_closed(self) -> None:
        """Commit batch after batch until the queue is closed; the thread runs this."""
        while batch := self._take_batch():
            self._commit_batch(batch)

    def _take_batch(self) -> list[Pending]:
        """Wait for an answer and return it with all that have queued up; empty once the queue is closed."""
        batch: list[Pending] = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _MAX_BATCH or self._queue.empty():
                return batch
            item = self._queue.get()
        if batch:
            self._queue.put(None)  # close() was called in the middle of a batch: commit that first
        return batch

    def _commit_batch(self, batch: list[Pending]) -> None:
        """Commit a batch, or each answer by itself if one of them may be at fault.

        After any other error of the database each would wait a minute for the same lock, so all fail at once.
        """
        try:
            stored = self._commit([entry for entry, _ in batch])
            for entry, committed in batch:
                committed.set_result(stored[entry.key])
        except Exception as error:
            unfinished = [pending for pending in batch if not pending[1].done()]
            may_be_one_row = isinstance(error, _SINGLE_ROW_ERRORS) or not isinstance(error, LlmError)
            if len(batch) > 1 and may_be_one_row:
                for pending in unfinished:
                    self._commit_batch([pending])
                return
            for _, committed in unfinished:
                committed.set_exception(error)
