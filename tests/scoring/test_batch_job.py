"""A file of posts becomes the same rows with predictions, whatever stops it on the way."""

import io
import json
from pathlib import Path

import pytest

from cotpd.errors import ConfigError, DataError
from tests.scoring.doubles import (
    FORMATS,
    CapitalPredictor,
    build_model,
    build_rows,
    read_notes,
    read_rows,
    score,
    write_rows,
)

ROWS = 40

SMALL = {"batch_size": 1}  # chunks of 16 rows


DAMAGED = [
    b'{"id": 1, "text": "Ada"}',
    b'{"id": 2}',
    b'{"id": 3, "text": 17}',
    b"",
    b'{"id": 4, "text": "half \\ud83d"}',
    b"not JSON",
    b'{"id": 6, "text": "\xff"}',
    b'["a", "list"]',
    b'{"id": 8, "id": 9, "text": "twice"}',
    b'{"id": 10, "text": "Bob", "deep": ' + b"[" * 200 + b"]" * 200 + b"}",
    b'{"id": 11, "text": null}',
    b'{"id": 12, "text": "Eve"}',
]


@pytest.mark.parametrize("written", FORMATS)
@pytest.mark.parametrize("read", FORMATS)
def test_every_format_keeps_rows_columns_and_their_order_in_every_other(tmp_path: Path, read: str, written: str):
    source = write_rows(tmp_path / f"posts.{read}", build_rows(ROWS))
    output = tmp_path / f"spans.{written}"

    result = score(source, output)

    rows = read_rows(output)
    assert [row["id"] for row in rows] == [f"p{number}" for number in range(ROWS)]
    assert [int(row["likes"]) for row in rows] == list(range(ROWS))
    assert list(rows[0]) == ["id", "text", "likes", "entities", "error"]
    for row in rows:
        [entity] = row["entities"]
        assert row["text"][entity["start"] : entity["end"]] == entity["text"] == "Ada"
    assert (result.rows, result.scored, result.unreadable) == (ROWS, ROWS, 0)
    assert sorted(path.name for path in tmp_path.iterdir() if "meta.json" not in path.name) == sorted(
        [source.name, output.name]
    )


@pytest.mark.parametrize("name", ["spans.jsonl", "spans.csv.gz", "spans.parquet"])
def test_the_output_says_once_which_model_scored_what(tmp_path: Path, name: str):
    source = write_rows(tmp_path / "posts.csv", build_rows(3))

    score(source, tmp_path / name)

    notes = read_notes(tmp_path / name)
    assert (notes["model"], notes["version"], notes["backend"], notes["task"]) == (
        "cotpd-ner",
        "3",
        "torch",
        "ner",
    )
    assert (notes["rows"], notes["unreadable"], notes["input"]["name"]) == (3, 0, "posts.csv")


def test_an_output_that_exists_is_replaced_only_if_that_is_said(tmp_path: Path):
    source, output = write_rows(tmp_path / "posts.jsonl", build_rows(3)), tmp_path / "spans.jsonl"
    output.write_text("precious")

    with pytest.raises(ConfigError, match="exists"):
        score(source, output)
    content = output.read_text()
    score(source, output, overwrite=True)

    assert content == "precious"
    assert len(read_rows(output)) == 3


def test_notes_and_quarantine_of_a_replaced_output_do_not_stay(tmp_path: Path):
    output = tmp_path / "spans.jsonl"
    score(write_rows(tmp_path / "bad.jsonl", [{"text": "Ada"}, {"text": 1}]), output)

    score(write_rows(tmp_path / "good.jsonl", build_rows(3)), output, overwrite=True)

    assert not (tmp_path / "spans.jsonl.quarantine.jsonl").exists()
    assert read_notes(output)["unreadable"] == 0


def test_folders_above_the_output_are_made(tmp_path: Path):
    score(write_rows(tmp_path / "posts.jsonl", build_rows(3)), tmp_path / "new/folder/spans.csv")

    assert len(read_rows(tmp_path / "new/folder/spans.csv")) == 3


def test_a_failure_before_the_first_row_leaves_nothing_behind(tmp_path: Path):
    source = write_rows(tmp_path / "posts.jsonl", [{"content": "Ada"}])

    with pytest.raises(DataError):
        score(source, tmp_path / "spans.jsonl")

    assert [path.name for path in tmp_path.iterdir()] == ["posts.jsonl"]


def test_kept_columns_are_those_that_were_named_and_predicted_ones_take_a_prefix(tmp_path: Path):
    rows = [{"id": 1, "text": "Ada", "entities": "gold", "more": [1]}]
    source = write_rows(tmp_path / "posts.jsonl", rows)

    score(source, tmp_path / "spans.jsonl", keep=("id", "entities"), prefix="predicted_")

    [row] = read_rows(tmp_path / "spans.jsonl")
    assert list(row) == ["id", "entities", "predicted_entities", "predicted_error"]
    assert row["predicted_entities"][0]["text"] == "Ada"


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_pairs_are_read_by_name_or_by_offsets(tmp_path: Path, suffix: str):
    rows = [
        {"post": "Ada works for Acme", "from": "Ada", "to": "Acme"},
        {"post": "Ada works for Acme", "from": "[0, 3]", "to": "[14, 18]"},
        {"post": "Ada works for Acme", "from": "Ada", "to": "Bob"},
    ]
    source, output = write_rows(tmp_path / f"pairs.{suffix}", rows), tmp_path / "labels.jsonl"

    score(source, output, build_model(CapitalPredictor("re")), text="post", head="from", tail="to")

    rows = read_rows(output)
    assert [(row["label"], row["score"]) for row in rows] == [("member", 0.75), ("member", 0.75), (None, None)]
    assert rows[2]["error"] == "tail 'Bob' does not stand in the text"


def test_rows_that_cannot_be_read_keep_their_place_and_go_to_quarantine(tmp_path: Path):
    source = tmp_path / "posts.jsonl"
    source.write_bytes(b"\n".join(DAMAGED))

    result = score(source, tmp_path / "spans.jsonl")

    rows = read_rows(tmp_path / "spans.jsonl")
    quarantined = read_rows(tmp_path / "spans.jsonl.quarantine.jsonl")
    assert [len(row["entities"]) for row in rows] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert [row["error"] is None for row in rows] == [bool(row["entities"]) for row in rows]
    assert [(row["row"], row["line"]) for row in quarantined] == [
        (2, 2), (3, 3), (4, 5), (5, 6), (6, 7), (7, 8), (8, 9), (9, 10), (10, 11),
    ]  # fmt: skip
    assert [row["reason"] for row in quarantined] == [row["error"] for row in rows if row["error"]]
    assert "is missing" in quarantined[0]["reason"]
    assert "byte 0xff" in quarantined[4]["reason"]
    assert quarantined[3]["raw"] == "not JSON\n"
    assert result.unreadable == 9


def test_strict_fails_at_the_first_row_that_cannot_be_read_and_names_it(tmp_path: Path):
    source = write_rows(tmp_path / "posts.jsonl", [{"text": "Ada"}, {"text": 17}])

    with pytest.raises(DataError, match=r"row 2 \(line 2\): text is int, not text"):
        score(source, tmp_path / "spans.jsonl", strict=True)

    assert not (tmp_path / "spans.jsonl").exists()


def test_standard_input_is_scored_into_any_format_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    content = "".join(json.dumps(row) + "\n" for row in build_rows(ROWS)).encode()
    second = CapitalPredictor()

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(KeyboardInterrupt):
        score("-", tmp_path / "spans.parquet", build_model(CapitalPredictor(interrupt_at=20)), **SMALL)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    score("-", tmp_path / "spans.parquet", build_model(second), **SMALL)

    assert len(second.texts) == ROWS - 16
    assert [row["likes"] for row in read_rows(tmp_path / "spans.parquet")] == list(range(ROWS))
