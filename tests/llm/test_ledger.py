"""The ledger: what is committed stays, whoever shares it and whatever happens to the file."""

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from dataclasses import astuple, replace

import pytest

from cotpd.errors import LlmError
from cotpd.llm.chat_request import ChatRequest, build_chat_request
from cotpd.llm.completion import read_completion
from cotpd.llm.ledger import migrations
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import export_recording, import_recording
from tests.chat_server import ENTRY_PARAMS, build_completion, build_entry


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


def test_it_waits_for_the_disk_at_every_commit(path):
    with Ledger(path) as ledger:
        assert ledger.database.read("PRAGMA journal_mode")[0][0] == "wal"
        assert ledger.database.read("PRAGMA synchronous")[0][0] == 2  # FULL


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    text, database = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("no database\n" * 100)
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE mine (x)")
    for file, message in ((text, "not a database"), (database, "a database of something else")):
        before = file.read_bytes()
        with pytest.raises(LlmError, match=message) as caught:
            Ledger(file)
        assert str(file) in str(caught.value)
        assert file.read_bytes() == before


def test_a_ledger_of_a_newer_version_is_refused(path):
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO migration VALUES (99, 'x')")

    with pytest.raises(LlmError, match=r"newer cotpd \(schema 99"):
        Ledger(path)


def test_a_ledger_of_an_older_version_is_brought_up_to_date(path, monkeypatch):
    with Ledger(path) as ledger:
        ledger.put(build_entry("a"))
    later = (*migrations.MIGRATIONS, ("CREATE TABLE added (x)", "INSERT INTO added VALUES (1)"))
    monkeypatch.setattr(migrations, "MIGRATIONS", later)

    for _ in range(2):  # the second time there is nothing to do
        with Ledger(path) as ledger:
            assert ledger.database.read("SELECT x FROM added") == [(1,)]
            assert len(list(ledger.iterate_entries())) == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(LlmError, match=r"ledger\.db"):
        Ledger(tmp_path / "file" / "ledger.db")

    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")

    with pytest.raises(LlmError, match=r"ledger\.db"):
        Ledger(locked / "ledger.db")


@pytest.mark.parametrize(
    "column",
    ["request", "response", "model", "finish_reason", "prompt_tokens", "completion_tokens", "latency", "created"],
)
def test_a_flipped_byte_is_found_counts_as_unanswered_and_gives_way(path, column):
    with Ledger(path) as ledger:
        good, intact = ledger.put(build_entry("a")), ledger.put(build_entry("b"))
        assert ledger.find_damaged() == []
        with sqlite3.connect(path) as db:
            (value,) = db.execute(f"SELECT {column} FROM answer WHERE key = ?", (good.key,)).fetchone()
            flipped = (
                (value or 0) + 1 if isinstance(value, int | float | None) else chr(ord(value[0]) ^ 1) + value[1:]
            )
            db.execute(f"UPDATE answer SET {column} = ? WHERE key = ?", (flipped, good.key))

        assert ledger.find_damaged() == [good.key]
        assert ledger.get_many([good.key, intact.key]) == {intact.key: intact}
        assert list(ledger.iterate_entries()) == [intact]
        assert ledger.put(build_entry("a", "again")).response == build_entry("a", "again").response
        assert ledger.find_damaged() == []


@pytest.mark.parametrize("word", [b"yes", b"be short", b"fake-1"])
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_in_the_file_costs_that_row_alone(path, word, bit):
    with Ledger(path) as ledger:
        keys = [ledger.put(build_entry(text)).key for text in "abc"]
    content = bytearray(path.read_bytes())
    content[content.index(word)] ^= 1 << bit
    path.write_bytes(content)

    with Ledger(path) as ledger:
        (damaged,) = ledger.find_damaged()

        assert set(ledger.get_many(keys)) == set(keys) - {damaged}
        text = "abc"[keys.index(damaged)]
        assert ledger.put(build_entry(text)).response == build_entry(text).response
        assert ledger.find_damaged() == []


def test_a_flipped_bit_in_the_index_is_told_costs_one_row_and_what_is_exported_makes_a_sound_ledger(
    path, tmp_path
):
    with Ledger(path) as ledger:
        keys = [ledger.put(build_entry(text)).key for text in "abc"]
    content = bytearray(path.read_bytes())
    offsets = [match.start() for match in re.finditer(keys[0].encode(), content)]

    assert len(offsets) == 2, "in the row and in the index"

    for offset in offsets:
        content[offset] ^= 1
        path.write_bytes(content)
        with Ledger(path) as ledger, pytest.raises(LlmError, match="is corrupt") as caught:
            ledger.find_damaged()
        assert "cotpd ledger export" in caught.value.remedy
        with Ledger(path) as ledger, Ledger(tmp_path / f"{offset}.db") as new:
            assert export_recording(ledger, tmp_path / "a.jsonl", raw=True) >= 2
            import_recording(new, tmp_path / "a.jsonl")
            assert set(new.get_many(keys)) >= set(keys[1:])
            assert new.find_damaged() == []
        content[offset] ^= 1


def test_a_flipped_bit_in_the_schema_is_told(path):
    with Ledger(path) as ledger:
        ledger.put(build_entry("a"))
    content = bytearray(path.read_bytes())
    content[content.index(b" TABLE answer")] ^= 128  # SQLite quotes it, and it is no UTF-8
    path.write_bytes(content)

    with pytest.raises(LlmError, match=r"ledger\.db: .*malformed") as caught, Ledger(path) as ledger:
        ledger.find_damaged()

    assert "restore it from a copy" in str(caught.value)


def test_an_entry_that_cannot_be_kept_takes_no_other_with_it(path):
    with Ledger(path) as ledger:
        bad = replace(build_entry("bad"), model={"not": "text"})
        pending = [(entry, ledger.submit(entry)) for entry in (build_entry("a"), bad, build_entry("b"))]

        with pytest.raises(LlmError):
            pending[1][1].result(10)

        for entry, future in (pending[0], pending[2]):
            assert future.result(10).key == entry.key
        assert ledger.put(build_entry("c")).key == build_entry("c").key, "and the writer lives on"


@pytest.mark.parametrize("choice", ["null", '"x"', '{"message": "x"}', '{"message": [1]}'])
def test_an_answer_whose_choice_is_no_object_is_no_answer(choice):
    with pytest.raises(ValueError, match="no chat completion"):
        read_completion(f'{{"choices": [{choice}]}}')


def test_half_a_surrogate_pair_in_question_and_answer_is_kept(path):
    call = build_chat_request(ENTRY_PARAMS, [{"role": "user", "content": "half \ud83d"}], max_tokens=8)
    response = json.dumps(json.loads(build_completion("yes \ud83d \\ é")), ensure_ascii=False)
    with Ledger(path) as ledger:
        assert ledger.submit(Entry.from_response(call, response)).result(10).key == call.key
        (entry,) = ledger.iterate_entries()
        assert ledger.find_damaged() == []

    assert ChatRequest.parse(entry.request).key == call.key
    assert json.loads(entry.response) == json.loads(response), "nothing but the spelling has changed"


@pytest.mark.parametrize("count", ["n/a", -5, 2**40, 1.5])
def test_an_odd_count_that_an_older_version_kept_reads_as_none(path, count):
    older = replace(build_entry("a"), prompt_tokens=count)
    with Ledger(path) as ledger:
        ledger.put_many([older])

        assert ledger.find_damaged() == []
        assert ledger.get(older.key) == replace(older, prompt_tokens=None)
        assert list(ledger.iterate_entries()) == [replace(older, prompt_tokens=None)]


def test_an_answer_nested_too_deeply_is_no_answer():
    with pytest.raises(ValueError, match="nested too deeply"):
        read_completion("[" * 200_000)


def test_a_ledger_of_the_first_version_keeps_its_sound_answers(path, monkeypatch):
    """As a version without digests wrote it: four answers, one of them changed by hand since."""
    rows = [build_entry(text) for text in "abcd"]
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as db:
        for statement in migrations.MIGRATIONS[0]:
            db.execute(statement)
        db.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, applied TEXT NOT NULL)")
        db.execute("INSERT INTO migration VALUES (1, 'then')")
        db.executemany("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(astuple, rows))
        db.execute("UPDATE answer SET request = request || ' ' WHERE key = ?", (rows[0].key,))

    with Ledger(path) as ledger:
        assert sorted(ledger.iterate_entries(), key=lambda row: row.key) == sorted(
            rows[1:], key=lambda row: row.key
        )
        assert ledger.find_damaged() == [rows[0].key]
