"""The ledger: what is committed stays, whoever shares it and whatever happens to the file."""

import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from cotpd.errors import LlmError
from cotpd.llm.chat_request import ChatRequest
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from tests.chat_server import build_completion, build_entry


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "ledger.db"


def test_an_answer_that_its_server_broke_off_and_an_older_version_kept_is_asked_again(tmp_path):
    call = ChatRequest("http://x/v1", {"model": "m", "messages": []})
    broken = Entry.from_response(call, build_completion("half an ans", "error"))
    whole = Entry.from_response(call, build_completion("whole"))
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.put_many([broken])

        assert ledger.find_answer_keys({call.key: call}) == {}
        assert ledger.put(whole) == whole
        assert ledger.get(call.key) == whole


def test_what_is_put_is_there_after_reopening(path):
    with Ledger(path) as ledger:
        entry = ledger.put(build_entry("a"))

        assert ledger.get(entry.key) == entry
        assert ledger.get("0" * 64) is None

    with Ledger(path) as ledger:
        assert ledger.get(entry.key) == entry
        assert ledger.count_by_model() == [("fake-1", 1, 11, 3)]


def test_the_first_answer_to_a_request_stays(path):
    with Ledger(path) as ledger:
        first = ledger.put(build_entry("a", "first"))

        assert ledger.put(build_entry("a", "second")) == first
        assert ledger.put_many([build_entry("a", "third"), build_entry("b")]) == 1


def test_many_keys_are_found_whatever_their_number(path):
    entries = [build_entry(str(n)) for n in range(1203)]
    with Ledger(path) as ledger:
        assert ledger.put_many(entries) == 1203

        by_key = ledger.get_many([entry.key for entry in entries] + ["unknown"])

        assert len(by_key) == 1203
        assert [entry.key for entry in ledger.iterate_entries()] == sorted(entry.key for entry in entries)


def test_answers_that_queue_up_share_a_commit(path, monkeypatch):
    commits = []
    whole = Ledger.put_many
    gate = threading.Event()

    def put_slowly(self, entries):
        assert gate.wait(30)
        entries = list(entries)
        commits.append(len(entries))
        return whole(self, entries)

    monkeypatch.setattr(Ledger, "put_many", put_slowly)
    with Ledger(path) as ledger:
        futures = [ledger.submit(build_entry(str(n))) for n in range(100)]

        assert not any(future.done() for future in futures)  # nothing counts before it is committed

        gate.set()

        assert {future.result(30).key for future in futures} == {entry.key for entry in ledger.iterate_entries()}

    assert sum(commits) == 100
    assert len(commits) < 10


def test_what_would_meet_every_answer_is_tried_once_a_commit(path, monkeypatch):
    """A locked file is waited for a minute each time: once for each of 256 would be hours."""
    with Ledger(path) as ledger:
        tries = []
        gate = threading.Event()

        def fail_as_locked(*_):
            assert gate.wait(30)
            tries.append(1)
            raise LlmError("database is locked")

        monkeypatch.setattr(ledger.database.store, "insert", fail_as_locked)
        futures = [ledger.submit(build_entry(str(n))) for n in range(100)]
        gate.set()
        for future in futures:
            with pytest.raises(LlmError, match="locked"):
                future.result(10)

        assert len(tries) < 10


def test_an_answer_is_queued_at_once_while_another_is_being_committed(path, monkeypatch):
    with Ledger(path) as ledger:
        whole, committing, gate = ledger.database.store.insert, threading.Event(), threading.Event()

        def insert_slowly(*arguments):
            committing.set()
            assert gate.wait(30)
            return whole(*arguments)

        monkeypatch.setattr(ledger.database.store, "insert", insert_slowly)
        first = ledger.submit(build_entry("a"))
        assert committing.wait(30)

        later = []
        submitting = threading.Thread(
            target=lambda: later.extend(ledger.submit(build_entry(text)) for text in "bc"), daemon=True
        )
        submitting.start()
        submitting.join(10)
        queued = len(later)
        gate.set()

        assert queued == 2
        assert [future.result(30).key for future in (first, *later)] == [build_entry(text).key for text in "abc"]


def test_a_writer_that_never_ends_is_not_waited_for_without_limit(path, monkeypatch):
    monkeypatch.setattr("cotpd.llm.ledger.commit_queue._CLOSE_TIMEOUT", 0.1)
    ledger = Ledger(path)
    gate = threading.Event()
    monkeypatch.setattr(ledger.database.store, "insert", lambda *_: gate.wait(30))
    ledger.submit(build_entry("a"))

    with pytest.raises(LlmError, match="still not committed"):
        ledger.close()

    gate.set()


def test_closing_commits_what_is_queued(path):
    ledger = Ledger(path)
    for n in range(50):
        ledger.submit(build_entry(str(n)))
    ledger.close()

    with Ledger(path) as again:
        assert len(list(again.iterate_entries())) == 50


def test_a_commit_that_fails_reaches_those_who_wait(path):
    with Ledger(path) as ledger:
        with sqlite3.connect(path) as db:
            db.execute(
                "CREATE TRIGGER full BEFORE INSERT ON answer BEGIN SELECT raise(ABORT, 'database or disk is full'); END"
            )

        with pytest.raises(LlmError, match="disk is full") as caught:
            ledger.put(build_entry("a"))

        assert "Free some space" in str(caught.value)

        with sqlite3.connect(path) as db:
            db.execute("DROP TRIGGER full")

        assert ledger.put(build_entry("a")).key  # the writer goes on


def test_two_processes_fill_one_ledger(path):
    script = """
import sys
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.chat_request import ChatRequest
with Ledger(sys.argv[1]) as ledger:
    for n in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
        call = ChatRequest("http://h/v1", {"messages": [{"role": "user", "content": str(n)}]})
        ledger.put(Entry.from_response(call, '{"choices": []}'))
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, str(path), str(start)]) for start in (0, 30)]

    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    with Ledger(path) as ledger:
        assert len(list(ledger.iterate_entries())) == 90
        assert ledger.find_damaged() == []


def test_a_new_ledger_is_opened_while_another_process_writes_its_first_table(tmp_path):
    with (
        ThreadPoolExecutor() as pool,
        closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as other,
    ):
        # in the first journal mode, whose change SQLite's own timeout does not wait for
        other.execute("BEGIN IMMEDIATE")

        opening = pool.submit(Ledger, tmp_path / "new.db")
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.5)
        other.execute("COMMIT")

        with opening.result(timeout=60) as ledger:
            assert list(ledger.iterate_entries()) == []


def test_it_waits_for_the_disk_at_every_commit(path):
    with Ledger(path) as ledger:
        assert ledger.database.read("PRAGMA journal_mode")[0][0] == "wal"
        assert ledger.database.read("PRAGMA synchronous")[0][0] == 2  # FULL
