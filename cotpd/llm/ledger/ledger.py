"""The ledger: every answer ever paid for, raw, one row a distinct request. Owns the table ``answer``.

Where an answer is committed, and what happens to a run that is killed just before:

- Asked live, an answer is handed to :meth:`Ledger.submit` as soon as its body has arrived whole. One writer thread
  (:mod:`commit_queue`) commits all that have queued up in one transaction, with one wait for the disk (WAL,
  synchronous FULL). Only then does it count as answered, and only then is its claim released. Killed before the
  commit, the run has paid for the answers in flight or queued, at most ``llm.concurrency`` and some milliseconds'
  worth; nothing of them is on disk. Their claims die with the process, and the next run asks those requests again.
- In batch mode the job with its requests is committed before it is submitted (:mod:`batch_jobs`). Its answers are
  committed with :meth:`Ledger.put_many`, a page at a time, and the job is removed after the last page. Killed
  before that, the next run reads the server's results again: nothing is paid for twice.

Several processes may share the ledger; the first answer to a request stays. Each row carries a digest of itself: a
row that was damaged counts as never answered, and the next answer replaces it.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import astuple, fields, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cotpd.completions import Stop, classify_stop
from cotpd.errors import LlmError
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.completion import parse_token_count
from cotpd.llm.ledger.commit_queue import CommitQueue
from cotpd.llm.ledger.database import MAX_KEYS, Database
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.migrations import compute_row_digest
from cotpd.llm.ledger.store import Row, Statement

_NAMES = (*(field.name for field in fields(Entry)), "sha256")
_FINISH_REASON = _NAMES.index("finish_reason")
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO answer ({_COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))}) ON CONFLICT (key) DO NOTHING"
_RESTORE = "Export what can be read (`cotpd ledger export`) and import it into a new one, or restore a copy."


class Ledger:
    """An open ledger; a context manager. Several threads and processes may use it.

    Args:
        address: An SQLite file, or an SQLAlchemy URL of SQLite or PostgreSQL.

    Raises:
        ConfigError: The URL is invalid.
        LlmError: The database cannot be opened or written, is no ledger, or was written by a newer version.
    """

    def __init__(self, address: str | Path) -> None:
        self.database = Database(address)
        self.name = self.database.name
        self._commits = CommitQueue(self.name, self._commit)
        self._damaged: set[str] = set()  # keys of damaged rows, which the next answer replaces
        self._damaged_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Commit what is queued and close the database; raises LlmError if that takes some minutes."""
        self._commits.close()
        self.database.close()

    def get(self, key: str) -> Entry | None:
        """Return the answer under a key, or None."""
        return self.get_many([key]).get(key)

    def get_many(self, keys: Iterable[str]) -> dict[str, Entry]:
        """Return the sound answers under these keys, without those that their server broke off."""
        entries: dict[str, Entry] = {}
        for row in self.database.read_by_key(f"SELECT {_COLUMNS} FROM answer WHERE key", keys):
            # older versions kept answers that their server broke off: they are asked again
            if _is_sound(row) and classify_stop(row[_FINISH_REASON]) is not Stop.FAILED:
                entries[row[0]] = _build_entry(row)
            else:
                self._damaged.add(row[0])
        return entries

    def read_responses(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the raw answers under keys whose rows were checked before; digests are not checked again."""
        return dict(self.database.read_by_key("SELECT key, response FROM answer WHERE key", keys))

    def find_answer_keys(self, requests: Mapping[str, ChatRequest]) -> dict[str, str]:
        """Return, for each answered request, the key of its answer.

        That is the request's own key, or the key of the same request without a schema: a server that refuses
        schemas was asked that way, and its answer is not paid for again.
        """
        answer_keys = {key: key for key in self.get_many(requests)}
        schemaless = {
            key: request.without_schema.key
            for key, request in requests.items()
            if key not in answer_keys and request.without_schema
        }
        answered = self.get_many(schemaless.values())
        return answer_keys | {key: plain for key, plain in schemaless.items() if plain in answered}

    def put(self, entry: Entry) -> Entry:
        """Commit one answer and return what the ledger then holds under its key: the first answer stays."""
        return self.submit(entry).result()

    def submit(self, entry: Entry) -> "Future[Entry]":
        """Queue an answer for the next commit; the future is done once it is committed."""
        return self._commits.submit(entry)

    def put_many(self, entries: Iterable[Entry]) -> int:
        """Commit answers in one transaction; returns how many were new. Damaged rows in the way are replaced."""
        entries = list(entries)
        with self._damaged_lock:
            damaged = [entry.key for entry in entries if entry.key in self._damaged]
            self._damaged.difference_update(damaged)
        deletions: list[Statement] = [("DELETE FROM answer WHERE key = ?", (key,)) for key in damaged]
        return self.database.insert(deletions, _INSERT, [_build_row(entry) for entry in entries])

    def remove(self, keys: Iterable[str]) -> None:
        """Delete the answers under some keys; a key without an answer is passed over."""
        self.database.change(*(("DELETE FROM answer WHERE key = ?", (key,)) for key in keys))

    def iterate_entries(self) -> Iterator[Entry]:
        """Yield every sound answer, sorted by key, a page at a time."""
        return (_build_entry(row) for row in self._iterate_rows() if _is_sound(row))

    def count_by_model(self) -> list[tuple[str, int, int, int]]:
        """Return model, answers, prompt tokens and completion tokens of each model that servers reported."""
        rows = self.database.read(
            "SELECT model, count(*), sum(coalesce(prompt_tokens, 0)), sum(coalesce(completion_tokens, 0)) "
            "FROM answer GROUP BY model ORDER BY model"
        )
        return [(model, answers, prompt, completion) for model, answers, prompt, completion in rows]

    def find_damaged(self) -> list[str]:
        """Return the keys of rows that differ from their digest.

        Raises:
            LlmError: The database file itself is corrupt.
        """
        if corruption := self.database.find_corruption():
            raise LlmError(f"{self.name}: the database is corrupt: {corruption}", _RESTORE)
        return [row[0] for row in self._iterate_rows() if not _is_sound(row)]

    def _iterate_rows(self) -> Iterator[Row]:
        last_key = ""
        sql = f"SELECT {_COLUMNS} FROM answer WHERE key > ? ORDER BY key LIMIT ?"
        while page := self.database.read(sql, (last_key, MAX_KEYS)):
            yield from page
            last_key = page[-1][0]

    def _commit(self, entries: list[Entry]) -> dict[str, Entry]:
        """Commit answers and return what the ledger then holds under their keys."""
        self.put_many(entries)
        stored = self.get_many(entry.key for entry in entries)
        missing = [entry for entry in entries if entry.key not in stored]
        if missing:  # a damaged row that nobody had read yet was in the way; get_many has noticed it
            self.put_many(missing)
            stored |= self.get_many(entry.key for entry in missing)
        return stored


def _build_row(entry: Entry) -> tuple[object, ...]:
    values = astuple(entry)
    return (*values, compute_row_digest(*values))


def _build_entry(row: Row) -> Entry:
    """Return the entry of a row; an impossible token count, which older versions kept, becomes None."""
    entry = Entry(*row[:-1])
    prompt, completion = parse_token_count(entry.prompt_tokens), parse_token_count(entry.completion_tokens)
    if (prompt, completion) == (entry.prompt_tokens, entry.completion_tokens):
        return entry
    return replace(entry, prompt_tokens=prompt, completion_tokens=completion)


def _is_sound(row: Row) -> bool:
    """Whether a row is as it was written."""
    return bool(compute_row_digest(*row[:-1]) == row[-1])
