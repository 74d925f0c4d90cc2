"""Ledgers that are damaged, of another version, or hold what cannot be read: what is lost, and what is told."""

import json
import os
import re
import sqlite3
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
