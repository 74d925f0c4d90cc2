"""Recordings: the ledger as text, and back without a loss."""

import json
import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.errors import DataError
from cotpd.llm.chat_request import ChatRequest, build_chat_request, encode_canonical
from cotpd.llm.completion import read_completion
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.ledger.recording import export_recording, import_once, import_recording
from tests.chat_server import ENTRY_PARAMS, build_completion, build_entry


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "ledger.db"


def fill_ledger(path) -> Ledger:
    ledger = Ledger(path)
    ledger.put_many([build_entry(f"post {n}\nline two ‹ü 🛰", f"answer {n}") for n in range(30)])
    ledger.put_many([build_entry("a", seed=1), build_entry("a", seed=2)])
    picture = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]
    ledger.put(
        Entry.from_response(
            build_chat_request(ENTRY_PARAMS, [{"role": "user", "content": picture}], max_tokens=8),
            build_completion("a cat"),
        )
    )
    for text, body in {
        "refused": build_completion(None, refusal="no"),
        "empty": '{"choices": [], "model": "m"}',
        "two": '{"choices": [{"message": {"content": "1"}}, {"message": {"content": "2"}}], "model": "m"}',
    }.items():
        ledger.put(
            Entry.from_response(
                build_chat_request(ENTRY_PARAMS, [{"role": "user", "content": text}], max_tokens=8), body
            )
        )
    return ledger


@pytest.mark.parametrize("raw", [False, True])
def test_a_recording_gives_the_same_requests_and_answers_back(tmp_path, raw):
    with fill_ledger(tmp_path / "a.db") as ledger, Ledger(tmp_path / "b.db") as copy:
        assert export_recording(ledger, tmp_path / "a.jsonl", raw=raw) == 36

        report = import_recording(copy, tmp_path / "a.jsonl")

        assert (report.new, report.present, report.bad) == (36, 0, [])
        for entry, copied in zip(ledger.iterate_entries(), copy.iterate_entries(), strict=True):
            assert (entry.key, entry.request) == (copied.key, copied.request)
            assert read_completion(entry.response) == read_completion(copied.response)
            assert not raw or (entry.response, entry.latency) == (copied.response, copied.latency)

        again = import_recording(copy, tmp_path / "a.jsonl")

        assert (again.new, again.present) == (0, 36)

        export_recording(copy, tmp_path / "b.jsonl", raw=raw)
    if not raw:
        assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_recording_can_be_read_and_holds_no_time(tmp_path):
    with Ledger(tmp_path / "a.db") as ledger:
        ledger.put(build_entry("post one", "short"))
        export_recording(ledger, tmp_path / "a.jsonl")

    part, answer = map(json.loads, (tmp_path / "a.jsonl").read_text("utf-8").splitlines())
    assert part["body"]["messages"] == [{"content": "be short", "role": "system"}]
    assert answer == {
        "key": build_entry("post one").key,
        "part": part["part"],
        "ask": "post one",
        "answer": "short",
        "finish_reason": "stop",
        "model": "fake-1",
        "tokens": [11, 3],
    }


def test_a_recording_does_not_depend_on_the_order_of_asking(tmp_path):
    entries = [build_entry(str(n)) for n in range(20)]

    for name, ordered in (("a", entries), ("b", reversed(entries))):
        with Ledger(tmp_path / f"{name}.db") as ledger:
            for entry in ordered:
                ledger.put(replace(entry, latency=None, created=name))
            export_recording(ledger, tmp_path / f"{name}.jsonl")

    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_damaged_line_is_left_out_and_named(tmp_path):
    file = tmp_path / "a.jsonl"
    with fill_ledger(tmp_path / "a.db") as ledger:
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
    with fill_ledger(tmp_path / "a.db") as ledger:
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
    call = ChatRequest("http://host/v1", body)

    assert ChatRequest.parse(call.text).key == call.key
    assert encode_canonical(json.loads(encode_canonical(body))) == encode_canonical(body)
    assert ChatRequest("http://host/v2", body).key != call.key


def test_an_import_mends_what_is_damaged(path, tmp_path):
    with Ledger(path) as ledger:
        key = ledger.put(build_entry("a")).key
        export_recording(ledger, tmp_path / "copy.jsonl", raw=True)
        with sqlite3.connect(path) as db:
            db.execute("UPDATE answer SET response = 'x' || response")

    with Ledger(path) as ledger:
        assert ledger.find_damaged() == [key]
        assert import_recording(ledger, tmp_path / "copy.jsonl").new == 1
        assert ledger.find_damaged() == []
        assert ledger.get(key).response == build_entry("a").response


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
    call = ChatRequest.parse(build_entry("a").request)
    row = Entry.from_response(call, json.dumps(json.loads(build_completion("yes")) | odd), 0.5)
    with Ledger(path) as ledger:
        assert ledger.submit(row).result(10) == row
        assert ledger.find_damaged() == []
        assert {row.prompt_tokens, row.completion_tokens} <= {None, 3, 11}

        for raw in (False, True):
            export_recording(ledger, tmp_path / f"{raw}.jsonl", raw=raw)
            with Ledger(tmp_path / f"{raw}.db") as target:
                report = import_recording(target, tmp_path / f"{raw}.jsonl")
                assert (report.new, report.bad) == (1, [])
                assert target.get(row.key).completion_tokens == row.completion_tokens


def test_a_recording_may_have_a_byte_order_mark_blank_lines_and_whole_seconds(path, tmp_path):
    with Ledger(path) as ledger:
        ledger.put(build_entry("a"))
        export_recording(ledger, tmp_path / "plain.jsonl", raw=True)
    lines = (tmp_path / "plain.jsonl").read_text("utf-8").replace('"latency": 0.5', '"latency": 2').splitlines()
    (tmp_path / "odd.jsonl").write_text("\ufeff" + "\n\n".join(lines) + "\n\n", "utf-8")
    with Ledger(tmp_path / "other.db") as target:
        report = import_recording(target, tmp_path / "odd.jsonl")

        assert (report.new, report.bad) == (1, [])
        assert target.find_damaged() == []


@pytest.mark.parametrize(
    "odd",
    [
        '"latency": [1]', '"latency": NaN', '"latency": 1' + 400 * "0", '"latency": 0.5, "created": [1]',
        '"created": "\\ud800"', '"created": "yesterday"', '"x": ' + 200_000 * "[",
    ],
)  # fmt: skip
def test_a_line_with_an_odd_value_is_named_and_left_out(path, tmp_path, odd):
    with Ledger(path) as ledger:
        ledger.put(build_entry("a"))
        ledger.put(build_entry("b"))
        export_recording(ledger, tmp_path / "x.jsonl", raw=True)
    text = (tmp_path / "x.jsonl").read_text("utf-8")
    head, _, tail = text.partition('"created": "')
    tail = tail.partition('"')[2]
    changed = (head + '"created": "2020-01-01"' + tail).replace('"latency": 0.5, "created": "2020-01-01"', odd, 1)
    (tmp_path / "x.jsonl").write_text(changed, "utf-8")
    with Ledger(tmp_path / "other.db") as target:
        report = import_recording(target, tmp_path / "x.jsonl")

        assert report.new == 1
        assert len(report.bad) == 1
        assert "x.jsonl:" in report.bad[0]
        assert target.find_damaged() == []


@pytest.mark.parametrize("line", ["7", '"x"', "[]", "null"])
def test_a_line_that_is_no_object_is_told_so(path, tmp_path, line):
    (tmp_path / "x.jsonl").write_text(line)

    with Ledger(path) as ledger:
        assert import_recording(ledger, tmp_path / "x.jsonl").bad == [f"{tmp_path / 'x.jsonl'}:1: no JSON object"]


def test_an_answer_that_comes_in_during_an_export_damages_no_line(path, tmp_path, monkeypatch):
    with Ledger(path) as ledger, Ledger(tmp_path / "other.db") as target:
        ledger.put(build_entry("a"))
        every = Ledger.iterate_entries

        def iterate_and_put(self):
            rows = list(every(self))
            ledger.put(build_entry("b", seed=99))
            return iter(rows)

        monkeypatch.setattr(Ledger, "iterate_entries", iterate_and_put)

        assert export_recording(ledger, tmp_path / "x.jsonl") == 1

        report = import_recording(target, tmp_path / "x.jsonl")

        assert (report.new, report.bad) == (1, [])


def test_half_a_surrogate_pair_in_a_line_is_kept(path, tmp_path):
    with Ledger(path) as ledger:
        key = ledger.put(build_entry("a")).key
        export_recording(ledger, tmp_path / "x.jsonl", raw=True)
    text = (tmp_path / "x.jsonl").read_text("utf-8")
    (tmp_path / "x.jsonl").write_text(text.replace("yes", "yes \\ud800"), "utf-8")
    with Ledger(tmp_path / "other.db") as target:
        report = import_recording(target, tmp_path / "x.jsonl")

        assert (report.new, report.bad) == (1, [])
        assert read_completion(target.get(key).response).text == "yes \ufffd"
