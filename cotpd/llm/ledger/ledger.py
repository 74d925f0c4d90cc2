"""The ledger: every answer ever paid for, raw, one row per distinct request.

Durability is bought with an fsync per commit (WAL, synchronous FULL). One writer thread commits whatever has
queued up since its last commit, so with many requests in flight they share the fsync. An answer counts as had
only once it is committed. Several processes may share the file; the first answer to a request stays. Each row
carries a digest of itself: one that was damaged counts as never answered, and gives way to the next answer.
"""

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import astuple, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from cotpd.completions import Stop, classify_stop
from cotpd.errors import LlmError
from cotpd.llm.chat_request import ChatRequest, read_completion, storable, token_count
from cotpd.llm.ledger.database import DiskFullError, RowError, Statement, open_store
from cotpd.llm.ledger.migrations import check_version, migrate, row_digest

_MOST_KEYS = 500  # in one IN (...), safely below SQLite's limit
_BY_ITSELF = RowError, DiskFullError  # faults that one of several answers may not meet
_MOST_QUEUED = 256  # answers in one commit
_LONGEST_CLOSE = 300.0  # seconds; a commit waits at most one minute for another process, and few are queued up
_STUCK = "Another process or the disk holds the ledger up: look at it, and run again; committed answers are safe."


@dataclass(frozen=True)
class Entry:
    """One row: the request as it went over the wire, and the raw body that came back."""

    key: str
    request: str
    response: str
    model: str = ""
    finish_reason: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency: float | None = None
    created: str = ""

    @classmethod
    def from_response(cls, call: ChatRequest, response: str, latency: float | None = None) -> "Entry":
        """The row of a call and its raw answer; raises ValueError if that is no chat completion."""
        said = read_completion(response)
        return cls(
            call.key,
            storable(call.text),
            storable(response),
            said.model,
            said.finish_reason,
            said.prompt_tokens,
            said.completion_tokens,
            latency,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )


_NAMES = (*(field.name for field in fields(Entry)), "sha256")
_STOP = _NAMES.index("finish_reason")
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO answer ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (key) DO NOTHING"


class Ledger:
    """An open ledger; a context manager. Safe to use from several threads and processes.

    Args:
        place: An SQLite file, or an SQLAlchemy URL of SQLite or PostgreSQL.

    Raises:
        ConfigError: The URL cannot be used.
        LlmError: The database cannot be opened or written, is no ledger, or was written by a newer version.
    """

    def __init__(self, place: str | Path) -> None:
        self._lock = threading.Lock()  # of the database: held for a minute where another process has locked it
        self._start = threading.Lock()  # of the writer's start alone: submit never waits for a commit
        self._queue: queue.SimpleQueue[tuple[Entry, Future[Entry]] | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._damaged: set[str] = set()  # keys of rows seen to be damaged
        self._store = open_store(place)
        self.name = self._store.name
        self.clock = self._store.clock
        self.read_only = self._store.read_only
        try:
            version = check_version(self._store)  # looks before it touches: what is not ours stays as it is
            self._store.settle()
            migrate(self._store, version)
        except BaseException:
            self._store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what has queued up and close the file; raises LlmError if that takes some minutes."""
        if self._writer:
            self._queue.put(None)
            self._writer.join(_LONGEST_CLOSE)
            if self._writer.is_alive():
                raise LlmError(f"{self.name}: the last answers are still not committed", _STUCK)
            self._writer = None
        self._store.close()

    def get(self, key: str) -> Entry | None:
        """The answer under a key, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The answers under these keys; a damaged one is not there, nor one that its server broke off."""
        found: dict[str, Entry] = {}
        for row in self.among(f"SELECT {_COLUMNS} FROM answer WHERE key", keys):
            # an answer that its server broke off, which older versions kept, is asked again
            if _sound(row) and classify_stop(row[_STOP]) is not Stop.FAILED:
                found[row[0]] = _entry(row)
            else:
                self._damaged.add(row[0])
        return found

    def responses(self, keys: Iterable[str]) -> dict[str, str]:
        """The raw answers under keys that have been seen to be sound: what is damaged now is not noticed."""
        return dict(self.among("SELECT key, response FROM answer WHERE key", keys))

    def answer_keys(self, calls: Mapping[str, ChatRequest]) -> dict[str, str]:
        """Which calls, by key, are answered, each with the key of its answer.

        That is its own, or that of the same question without a schema: a server that refuses one was asked so, and
        what it answered is not paid for again.
        """
        found = {key: key for key in self.get_many(calls)}
        plain = {key: call.plain.key for key, call in calls.items() if key not in found and call.plain}
        held = self.get_many(plain.values())
        return found | {key: other for key, other in plain.items() if other in held}

    def in_jobs(self, keys: Iterable[str]) -> dict[str, str]:
        """Those of the keys that wait in a job of the Batch API, each with how to call that."""
        sql = "SELECT i.key, j.id FROM batch_item i LEFT JOIN batch_job j ON j.token = i.token WHERE i.key"
        return {
            key: f"batch {id}" if id else "a batch that is being submitted" for key, id in self.among(sql, keys)
        }

    def put(self, entry: Entry) -> Entry:
        """Commit one answer and return what the ledger now holds for its key: the first answer stays."""
        return self.submit(entry).result()

    def submit(self, entry: Entry) -> "Future[Entry]":
        """Queue an answer for the next commit; the future is done once it is committed."""
        done: Future[Entry] = Future()
        done.set_running_or_notify_cancel()  # what has queued up is committed, whoever stops waiting for it
        with self._start:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write, name="ledger", daemon=True)
                self._writer.start()
        self._queue.put((entry, done))
        return done

    def put_many(self, entries: Iterable[Entry]) -> int:
        """Commit many answers in one go; returns how many were new."""
        kept = list(entries)
        with self._lock:
            way = [entry.key for entry in kept if entry.key in self._damaged]
            self._damaged.difference_update(way)
            cleared: list[Statement] = [("DELETE FROM answer WHERE key = ?", (key,)) for key in way]
            return self._store.insert(cleared, _INSERT, [_row(entry) for entry in kept])

    def entries(self) -> Iterator[Entry]:
        """Every sound answer, sorted by key, a page at a time."""
        return (_entry(row) for row in self._rows() if _sound(row))

    def count_by_model(self) -> list[tuple[str, int, int, int]]:
        """Per reported model: answers, prompt tokens and completion tokens."""
        return self.read(
            "SELECT model, count(*), sum(coalesce(prompt_tokens, 0)), sum(coalesce(completion_tokens, 0)) "
            "FROM answer GROUP BY model ORDER BY model",
            (),
        )

    def remove(self, keys: Iterable[str]) -> None:
        """Forget answers for good."""
        self.change(*(("DELETE FROM answer WHERE key = ?", (key,)) for key in keys))

    def find_damaged(self) -> list[str]:
        """Keys of rows that are not as they were written; raises LlmError if the file itself is corrupt.

        Such a row counts as never answered: its request is asked again, and the new answer takes its place.
        """
        with self._lock:
            said = self._store.check()
        if said:
            remedy = (
                "Export what can be read (`cotpd ledger export`) and import it into a new one, or restore a copy."
            )
            raise LlmError(f"{self.name}: the database is corrupt: {said}", remedy)
        return [row[0] for row in self._rows() if not _sound(row)]

    def _rows(self) -> Iterator[tuple]:
        last = ""
        while page := self.read(
            f"SELECT {_COLUMNS} FROM answer WHERE key > ? ORDER BY key LIMIT ?", (last, _MOST_KEYS)
        ):
            yield from page
            last = page[-1][0]

    def was_imported(self, sha256: str) -> bool:
        """Whether a recording of this content has been imported."""
        return bool(self.read("SELECT 1 FROM recording WHERE sha256 = ?", (sha256,)))

    def mark_imported(self, sha256: str, path: str) -> None:
        """Remember that a recording has been imported."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.change(("INSERT INTO recording VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (sha256, path, now)))

    def change(self, *statements: Statement) -> None:
        """Carry out statements on the tables that stand beside the answers, all or none."""
        with self._lock:
            self._store.change(statements)

    def read(self, sql: str, values: Iterable[object] = ()) -> list[tuple]:
        """The rows of a query."""
        with self._lock:
            return self._store.read(sql, tuple(values))

    def among(self, sql: str, keys: Iterable[str], values: Sequence[object] = ()) -> Iterator[tuple]:
        """The rows of a query that ends with the column to be one of ``keys``; ``values`` stand before."""
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _MOST_KEYS):
            some = wanted[start : start + _MOST_KEYS]
            yield from self.read(f"{sql} IN ({','.join('?' * len(some))})", (*values, *some))

    def _write(self) -> None:
        """The writer thread: commit what has queued up, then tell those who wait."""
        while waiting := self._next_batch():
            self._keep(waiting)

    def _keep(self, waiting: "list[tuple[Entry, Future[Entry]]]") -> None:
        """Commit answers together, or each by itself, unless each would wait a minute for a locked file."""
        try:
            stored = self._commit([entry for entry, _ in waiting])
            for entry, done in waiting:
                done.set_result(stored[entry.key])
        except Exception as error:
            left = [one for one in waiting if not one[1].done()]
            if len(waiting) > 1 and (isinstance(error, _BY_ITSELF) or not isinstance(error, LlmError)):
                for one in left:
                    self._keep([one])
                return
            for _, done in left:
                done.set_exception(error)

    def _commit(self, entries: list[Entry]) -> dict[str, Entry]:
        """Commit answers and return what the ledger now holds for their keys."""
        self.put_many(entries)
        stored = self.get_many(entry.key for entry in entries)
        if lacking := [entry for entry in entries if entry.key not in stored]:  # a damaged row was in the way
            self.put_many(lacking)
            stored |= self.get_many(entry.key for entry in lacking)
        return stored

    def _next_batch(self) -> "list[tuple[Entry, Future[Entry]]]":
        """Wait for an answer, then take all that have queued up; empty once the ledger is closed."""
        batch = []
        item = self._queue.get()
        while item is not None:
            batch.append(item)
            if len(batch) == _MOST_QUEUED or self._queue.empty():
                return batch
            item = self._queue.get()
        if batch:
            self._queue.put(None)  # the end came in the middle of a batch: commit that first
        return batch


def _row(entry: Entry) -> tuple[object, ...]:
    """An answer as it is written."""
    values = astuple(entry)
    return (*values, row_digest(*values))


def _entry(row: tuple) -> Entry:
    """A row as it is read; a token count that is none, which older versions kept, is left out."""
    entry = Entry(*row[:-1])
    counts = token_count(entry.prompt_tokens), token_count(entry.completion_tokens)
    if counts == (entry.prompt_tokens, entry.completion_tokens):
        return entry
    return replace(entry, prompt_tokens=counts[0], completion_tokens=counts[1])


def _sound(row: tuple) -> bool:
    return row_digest(*row[:-1]) == row[-1]
