"""The ledger: what is committed stays, whoever shares it and whatever happens to the file."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import astuple, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.config import LlmParams
from cotpd.errors import DataError, LlmError
from cotpd.llm import schema
from cotpd.llm.ledger import Entry, Ledger
from cotpd.llm.recording import export_recording, import_once, import_recording
from cotpd.llm.wire import Call, canonical, chat_call, read_completion

from .conftest import completion

PARAMS = LlmParams(base_url="http://host/v1", model="fake")


def entry(text: str, answer: str = "yes", **params) -> Entry:
    messages = [{"role": "system", "content": "be short"}, {"role": "user", "content": text}]
    call = chat_call(PARAMS.model_copy(update=params), messages, max_tokens=8)
    return Entry.of(call, completion(answer), latency=0.5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "ledger.db"


def test_what_is_put_is_there_after_reopening(path):
    with Ledger(path) as ledger:
        one = ledger.put(entry("a"))
        assert ledger.get(one.key) == one
        assert ledger.get("0" * 64) is None
    with Ledger(path) as ledger:
        assert ledger.get(one.key) == one
        assert ledger.stats() == [("fake-1", 1, 11, 3)]


def test_the_first_answer_to_a_request_stays(path):
    with Ledger(path) as ledger:
        first = ledger.put(entry("a", "first"))
        assert ledger.put(entry("a", "second")) == first
        assert ledger.put_many([entry("a", "third"), entry("b")]) == 1


def test_many_keys_are_found_whatever_their_number(path):
    entries = [entry(str(n)) for n in range(1203)]
    with Ledger(path) as ledger:
        assert ledger.put_many(entries) == 1203
        found = ledger.get_many([one.key for one in entries] + ["unknown"])
        assert len(found) == 1203
        assert [one.key for one in ledger.entries()] == sorted(one.key for one in entries)


def test_answers_that_queue_up_share_a_commit(path, monkeypatch):
    commits = []
    whole = Ledger.put_many
    gate = threading.Event()

    def slow(self, entries):
        gate.wait()
        entries = list(entries)
        commits.append(len(entries))
        return whole(self, entries)

    monkeypatch.setattr(Ledger, "put_many", slow)
    with Ledger(path) as ledger:
        waiting = [ledger.submit(entry(str(n))) for n in range(100)]
        assert not any(done.done() for done in waiting)  # nothing counts before it is committed
        gate.set()
        assert {done.result().key for done in waiting} == {one.key for one in ledger.entries()}
    assert sum(commits) == 100
    assert len(commits) < 10


def test_closing_commits_what_is_queued(path):
    ledger = Ledger(path)
    for n in range(50):
        ledger.submit(entry(str(n)))
    ledger.close()
    with Ledger(path) as again:
        assert len(list(again.entries())) == 50


def test_a_commit_that_fails_reaches_those_who_wait(path):
    with Ledger(path) as ledger:
        with sqlite3.connect(path) as other:
            other.execute(
                "CREATE TRIGGER full BEFORE INSERT ON answer BEGIN SELECT raise(ABORT, 'database or disk is full'); END"
            )
        with pytest.raises(LlmError, match="disk is full") as caught:
            ledger.put(entry("a"))
        assert "Free some space" in str(caught.value)
        with sqlite3.connect(path) as other:
            other.execute("DROP TRIGGER full")
        assert ledger.put(entry("a")).key  # the writer goes on


def test_two_processes_fill_one_ledger(path):
    script = """
import sys
from cotpd.llm.ledger import Entry, Ledger
from cotpd.llm.wire import Call
with Ledger(sys.argv[1]) as ledger:
    for n in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
        call = Call("http://h/v1", {"messages": [{"role": "user", "content": str(n)}]})
        ledger.put(Entry.of(call, '{"choices": []}'))
"""
    runs = [subprocess.Popen([sys.executable, "-c", script, str(path), str(start)]) for start in (0, 30)]
    assert [run.wait() for run in runs] == [0, 0]
    with Ledger(path) as ledger:
        assert len(list(ledger.entries())) == 90
        assert ledger.damaged() == []


def test_it_waits_for_the_disk_at_every_commit(path):
    with Ledger(path) as ledger:
        assert ledger.read("PRAGMA journal_mode")[0][0] == "wal"
        assert ledger.read("PRAGMA synchronous")[0][0] == 2  # FULL


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("no database\n" * 100)
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    for file, said in ((text, "not a database"), (other, "a database of something else")):
        before = file.read_bytes()
        with pytest.raises(LlmError, match=said) as caught:
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
        ledger.put(entry("a"))
    later = (*schema.MIGRATIONS, ("CREATE TABLE added (x)", "INSERT INTO added VALUES (1)"))
    monkeypatch.setattr(schema, "MIGRATIONS", later)
    for _ in range(2):  # the second time there is nothing to do
        with Ledger(path) as ledger:
            assert ledger.read("SELECT x FROM added") == [(1,)]
            assert len(list(ledger.entries())) == 1


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
        good, other = ledger.put(entry("a")), ledger.put(entry("b"))
        assert ledger.damaged() == []
        with sqlite3.connect(path) as db:
            (value,) = db.execute(f"SELECT {column} FROM answer WHERE key = ?", (good.key,)).fetchone()
            flipped = (
                (value or 0) + 1 if isinstance(value, int | float | None) else chr(ord(value[0]) ^ 1) + value[1:]
            )
            db.execute(f"UPDATE answer SET {column} = ? WHERE key = ?", (flipped, good.key))
        assert ledger.damaged() == [good.key]
        assert ledger.get_many([good.key, other.key]) == {other.key: other}
        assert list(ledger.entries()) == [other]
        assert ledger.put(entry("a", "again")).response == entry("a", "again").response
        assert ledger.damaged() == []


@pytest.mark.parametrize("place", [b"yes", b"be short", b"fake-1"])
@pytest.mark.parametrize("bit", [0, 7])
def test_a_flipped_bit_in_the_file_costs_that_row_alone(path, place, bit):
    with Ledger(path) as ledger:
        keys = [ledger.put(entry(text)).key for text in "abc"]
    content = bytearray(path.read_bytes())
    content[content.index(place)] ^= 1 << bit
    path.write_bytes(content)
    with Ledger(path) as ledger:
        (damaged,) = ledger.damaged()
        assert set(ledger.get_many(keys)) == set(keys) - {damaged}
        text = "abc"[keys.index(damaged)]
        assert ledger.put(entry(text)).response == entry(text).response
        assert ledger.damaged() == []


def test_an_import_mends_what_is_damaged(path, tmp_path):
    with Ledger(path) as ledger:
        key = ledger.put(entry("a")).key
        export_recording(ledger, tmp_path / "copy.jsonl", raw=True)
        with sqlite3.connect(path) as db:
            db.execute("UPDATE answer SET response = 'x' || response")
    with Ledger(path) as ledger:
        assert ledger.damaged() == [key]
        assert import_recording(ledger, tmp_path / "copy.jsonl").new == 1
        assert ledger.damaged() == []
        assert ledger.get(key).response == entry("a").response


def test_an_entry_that_cannot_be_kept_takes_no_other_with_it(path):
    with Ledger(path) as ledger:
        bad = replace(entry("bad"), model={"not": "text"})
        waiting = [(one, ledger.submit(one)) for one in (entry("a"), bad, entry("b"))]
        with pytest.raises(LlmError):
            waiting[1][1].result(10)
        for one, done in (waiting[0], waiting[2]):
            assert done.result(10).key == one.key
        assert ledger.put(entry("c")).key == entry("c").key, "and the writer lives on"


ODD = [
    {"usage": {"prompt_tokens": 11.0, "completion_tokens": True}},
    {"usage": {"prompt_tokens": "n/a", "completion_tokens": -5}},
    {"usage": {"prompt_tokens": 10**30, "completion_tokens": float("nan")}},
    {"usage": {"prompt_tokens": {"a": 1}}},
    {"usage": [1, 2]},
    {"model": "half \ud800"},
    {"model": 7},
    {"choices": [{"message": None}]},
    {"choices": [{"message": {"content": "\ud800"}, "finish_reason": "\ud800"}]},
    {"choices": [{"message": {"content": [{"type": "text", "text": None}, "x"]}, "logprobs": float("inf")}]},
]


@pytest.mark.parametrize("odd", ODD)
def test_whatever_a_server_writes_is_kept_exported_and_brought_back(path, tmp_path, odd):
    call = Call.parse(entry("a").request)
    row = Entry.of(call, json.dumps(json.loads(completion("yes")) | odd), 0.5)
    with Ledger(path) as ledger:
        assert ledger.submit(row).result(10) == row
        assert ledger.damaged() == []
        assert {row.prompt_tokens, row.completion_tokens} <= {None, 3, 11}
        for raw in (False, True):
            export_recording(ledger, tmp_path / f"{raw}.jsonl", raw=raw)
            with Ledger(tmp_path / f"{raw}.db") as other:
                report = import_recording(other, tmp_path / f"{raw}.jsonl")
                assert (report.new, report.bad) == (1, [])
                assert other.get(row.key).completion_tokens == row.completion_tokens


def test_an_answer_nested_too_deeply_is_no_answer():
    with pytest.raises(ValueError, match="nested too deeply"):
        read_completion("[" * 200_000)


def test_a_recording_may_have_a_byte_order_mark_blank_lines_and_whole_seconds(path, tmp_path):
    with Ledger(path) as ledger:
        ledger.put(entry("a"))
        export_recording(ledger, tmp_path / "plain.jsonl", raw=True)
    lines = (tmp_path / "plain.jsonl").read_text("utf-8").replace('"latency": 0.5', '"latency": 2').splitlines()
    (tmp_path / "odd.jsonl").write_text("\ufeff" + "\n\n".join(lines) + "\n\n", "utf-8")
    with Ledger(tmp_path / "other.db") as other:
        report = import_recording(other, tmp_path / "odd.jsonl")
        assert (report.new, report.bad) == (1, [])
        assert other.damaged() == []


@pytest.mark.parametrize("odd", ['"latency": [1]', '"latency": NaN', '"latency": 0.5, "created": [1]'])
def test_a_line_with_an_odd_value_is_named_and_left_out(path, tmp_path, odd):
    with Ledger(path) as ledger:
        ledger.put(entry("a"))
        ledger.put(entry("b"))
        export_recording(ledger, tmp_path / "x.jsonl", raw=True)
    text = (tmp_path / "x.jsonl").read_text("utf-8")
    head, _, tail = text.partition('"created": "')
    tail = tail.partition('"')[2]
    changed = (head + '"created": "2020-01-01"' + tail).replace('"latency": 0.5, "created": "2020-01-01"', odd, 1)
    (tmp_path / "x.jsonl").write_text(changed, "utf-8")
    with Ledger(tmp_path / "other.db") as other:
        report = import_recording(other, tmp_path / "x.jsonl")
        assert report.new == 1
        assert len(report.bad) == 1
        assert "x.jsonl:" in report.bad[0]


def test_a_ledger_of_the_first_version_keeps_its_sound_answers(path, monkeypatch):
    """As a version without digests wrote it: four answers, one of them changed by hand since."""
    rows = [entry(text) for text in "abcd"]
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as db:
        for statement in schema.MIGRATIONS[0]:
            db.execute(statement)
        db.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, applied TEXT NOT NULL)")
        db.execute("INSERT INTO migration VALUES (1, 'then')")
        db.executemany("INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(astuple, rows))
        db.execute("UPDATE answer SET request = request || ' ' WHERE key = ?", (rows[0].key,))
    with Ledger(path) as ledger:
        assert sorted(ledger.entries(), key=lambda row: row.key) == sorted(rows[1:], key=lambda row: row.key)
        assert ledger.damaged() == [rows[0].key]


# Recordings


def filled(path) -> Ledger:
    ledger = Ledger(path)
    ledger.put_many([entry(f"post {n}\nline two ‹ü 🛰", f"answer {n}") for n in range(30)])
    ledger.put_many([entry("a", seed=1), entry("a", seed=2)])
    picture = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    ledger.put(
        Entry.of(chat_call(PARAMS, [{"role": "user", "content": picture}], max_tokens=8), completion("a cat"))
    )
    for text, body in {
        "refused": completion(None, refusal="no"),
        "empty": '{"choices": [], "model": "m"}',
        "two": '{"choices": [{"message": {"content": "1"}}, {"message": {"content": "2"}}], "model": "m"}',
    }.items():
        ledger.put(Entry.of(chat_call(PARAMS, [{"role": "user", "content": text}], max_tokens=8), body))
    return ledger


@pytest.mark.parametrize("raw", [False, True])
def test_a_recording_gives_the_same_requests_and_answers_back(tmp_path, raw):
    with filled(tmp_path / "a.db") as ledger, Ledger(tmp_path / "b.db") as copy:
        assert export_recording(ledger, tmp_path / "a.jsonl", raw=raw) == 36
        report = import_recording(copy, tmp_path / "a.jsonl")
        assert (report.new, report.known, report.bad) == (36, 0, [])
        for one, other in zip(ledger.entries(), copy.entries(), strict=True):
            assert (one.key, one.request) == (other.key, other.request)
            assert read_completion(one.response) == read_completion(other.response)
            assert not raw or (one.response, one.latency) == (other.response, other.latency)
        again = import_recording(copy, tmp_path / "a.jsonl")
        assert (again.new, again.known) == (0, 36)
        export_recording(copy, tmp_path / "b.jsonl", raw=raw)
    if not raw:
        assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_recording_can_be_read_and_holds_no_time(tmp_path):
    with Ledger(tmp_path / "a.db") as ledger:
        ledger.put(entry("post one", "short"))
        export_recording(ledger, tmp_path / "a.jsonl")
    part, answer = map(json.loads, (tmp_path / "a.jsonl").read_text("utf-8").splitlines())
    assert part["body"]["messages"] == [{"content": "be short", "role": "system"}]
    assert answer == {
        "key": entry("post one").key,
        "part": part["part"],
        "ask": "post one",
        "answer": "short",
        "finish_reason": "stop",
        "model": "fake-1",
        "tokens": [11, 3],
    }


def test_a_recording_does_not_depend_on_the_order_of_asking(tmp_path):
    entries = [entry(str(n)) for n in range(20)]
    for name, some in (("a", entries), ("b", reversed(entries))):
        with Ledger(tmp_path / f"{name}.db") as ledger:
            for one in some:
                ledger.put(replace(one, latency=None, created=name))
            export_recording(ledger, tmp_path / f"{name}.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_damaged_line_is_left_out_and_named(tmp_path):
    file = tmp_path / "a.jsonl"
    with filled(tmp_path / "a.db") as ledger:
        export_recording(ledger, file)
    lines = file.read_text("utf-8").splitlines()
    first = next(n for n, line in enumerate(lines) if '"ask": "post' in line)
    lines[first] = lines[first].replace("line two", "line three")  # another request than its key says
    lines[-1] = lines[-1][:40]
    lines.append('{"key": "ab", "part": "nowhere", "ask": "x"}')
    lines.append("7")
    lines.append('{"part": "x", "key": "y"}')
    file.write_text("\n".join(lines), "utf-8")
    with Ledger(tmp_path / "b.db") as ledger:
        report = import_recording(ledger, file)
        assert report.new == 34
        assert [bad.split(": ")[0] for bad in report.bad] == [
            f"{file}:{n}" for n in (first + 1, len(lines) - 3, len(lines) - 2, len(lines) - 1, len(lines))
        ]
        assert "does not hash to its key" in report.bad[0]


def test_a_recording_is_imported_once_for_each_content(tmp_path):
    file = tmp_path / "a.jsonl"
    with filled(tmp_path / "a.db") as ledger:
        export_recording(ledger, file)
    with Ledger(tmp_path / "b.db") as ledger:
        assert import_once(ledger, file).new == 36
        assert import_once(ledger, file) is None
        file.write_bytes(file.read_bytes() + b"\n")
        assert import_once(ledger, file) is not None


def test_a_recording_that_is_missing_or_no_text_is_named(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with Ledger(tmp_path / "a.db") as ledger:
        for name in ("missing", "binary"):
            with pytest.raises(DataError, match=name):
                import_recording(ledger, tmp_path / name)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_a_call_read_back_has_its_key(body):
    call = Call("http://host/v1", body)
    assert Call.parse(call.text).key == call.key
    assert canonical(json.loads(canonical(body))) == canonical(body)
    assert Call("http://host/v2", body).key != call.key
