"""Files as people and programs write them: read as they are meant, or refused with a remedy."""

import csv
import gzip
import os
from pathlib import Path

import pytest

from cotpd.errors import ConfigError, DataError
from tests.scoring.doubles import build_rows, count_mentions, read_rows, score, write_rows


def score_content(folder: Path, name: str, content: bytes, output: str = "spans.jsonl", **options):
    (folder / name).write_bytes(content)
    score(folder / name, folder / output, **options)
    return read_rows(folder / output)


def test_a_cell_of_csv_may_hold_quotes_commas_and_lines(tmp_path: Path):
    content = b'id,text\r\n1,"says ""Ada"", twice\nand Bob"\r\n\r\n2,plain\r\n'

    rows = score_content(tmp_path, "posts.csv", content, "spans.csv")

    assert [row["text"] for row in rows] == ['says "Ada", twice\nand Bob', "plain"]
    assert count_mentions(rows) == [2, 0]


def test_a_carriage_return_in_a_cell_comes_back_as_it_was(tmp_path: Path):
    text = "Ada\rBob\tEve\r\nZoe"
    for name in ("posts.csv", "posts.tsv"):
        write_rows(tmp_path / name, [{"text": text}])

    for read, written in (("posts.csv", "a.tsv"), ("posts.tsv", "a.csv")):
        score(tmp_path / read, tmp_path / written)

    copies = [*read_rows(tmp_path / "a.csv"), *read_rows(tmp_path / "a.tsv")]
    assert [row["text"] for row in copies] == [text, text]


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path, name: str):
    content = b"text\nAda\n" if name.endswith("csv") else b'{"text": "Ada"}\n'

    rows = score_content(tmp_path, name, b"\xef\xbb\xbf" + content)

    assert count_mentions(rows) == [1]
    assert next(iter(rows[0])) == "text"


@pytest.mark.parametrize("name", ["posts.csv", "posts.jsonl", "posts.jsonl.gz"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_utf_16_is_refused_with_the_command_that_converts_it(tmp_path: Path, name: str, encoding: str):
    content = '{"text": "Ada and Bob"}\n'.encode(encoding)

    with pytest.raises(DataError, match="UTF-16") as caught:
        score_content(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)

    assert "iconv -f utf-16" in caught.value.remedy


def test_an_empty_file_of_json_lines_is_an_empty_batch(tmp_path: Path):
    assert score_content(tmp_path, "posts.jsonl", b"") == []


def test_a_header_alone_is_an_empty_batch(tmp_path: Path):
    score_content(tmp_path, "posts.csv", b"id,text\n", "spans.csv")

    assert (tmp_path / "spans.csv").read_text() == "id,text,entities,error\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("posts.csv", b"", "not even a header"),
        ("posts.csv", b"text,id,text\nAda,1,Bob\n", "two columns are called 'text'"),
        ("posts.csv", b"id,entities,text\n1,gold,Ada\n", "'entities' has the name of a predicted one"),
        ("posts.jsonl", b'{"text": "Ada", "error": 1}\n', "'error' has the name of a predicted one"),
        ("posts.csv", b"id;text\n1;Ada\n", "there is no column 'text'"),
        ("posts.csv", b"id,txt\n1,Ada\n", "there is no column 'text'"),
        ("posts.csv", b'id,text\n1,Ada\n2,"never closed\n3,Bob\n', r"posts\.csv:3: a quote is opened"),
        ("posts.jsonl", b'{"text": 1}\n{"text": 2.5}\n', "'text' holds float and int, not text"),
        ("posts.jsonl", b'{"text": null}\n', "'text' is empty in every row"),
        ("posts.parquet", b"", "no Parquet file, or damaged"),
        ("posts.parquet", b"PAR1 and then nothing", "no Parquet file, or damaged"),
        ("posts.parquet", b'{"text": "Ada"}\n', "no Parquet file, or damaged"),
        ("posts.csv", b"PAR1 and then", "is a Parquet file, not text"),
        ("posts.jsonl", gzip.compress(b'{"text": "Ada"}\n', mtime=0), "is packed with gzip"),
        ("posts.jsonl.gz", b'{"text": "Ada"}\n', "damaged or cut short"),
        ("posts.jsonl.zst", b'{"text": "Ada"}\n', "damaged or cut short"),
        ("posts.csv.gz", gzip.compress(os.urandom(20_000).hex().encode())[:-500], "damaged or cut short"),
    ],
)
def test_a_file_that_means_nothing_is_refused_and_leaves_nothing(tmp_path: Path, name, content, message):
    with pytest.raises(DataError, match=message) as caught:
        score_content(tmp_path, name, content)

    assert caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_truncated_zst_is_refused(tmp_path: Path):
    write_rows(tmp_path / "whole.jsonl.zst", [{"text": os.urandom(50).hex()} for _ in range(1000)])
    content = (tmp_path / "whole.jsonl.zst").read_bytes()

    with pytest.raises(DataError, match="damaged or cut short"):
        score_content(tmp_path, "posts.jsonl.zst", content[: len(content) // 2])


@pytest.mark.parametrize(
    ("source", "output", "message"),
    [
        ("posts.txt", "spans.jsonl", "its name does not say its format"),
        ("posts.jsonl", "spans", "its name does not say its format"),
        ("posts.jsonl", "spans.parquet.gz", "Parquet is compressed inside"),
        ("nowhere.jsonl", "spans.jsonl", "there is no such file"),
        ("folder.jsonl", "spans.jsonl", "is no regular file"),
        ("posts.jsonl", "folder.jsonl", "is a folder"),
        ("posts.jsonl", "posts.jsonl", "is the input, too"),
        ("posts.jsonl", "link.jsonl", "is the input, too"),
    ],
)
def test_paths_that_cannot_be_meant_are_refused(tmp_path: Path, source: str, output: str, message: str):
    write_rows(tmp_path / "posts.jsonl", build_rows(1))
    (tmp_path / "folder.jsonl").mkdir()
    (tmp_path / "link.jsonl").symlink_to("posts.jsonl")

    with pytest.raises(ConfigError, match=message) as caught:
        score(tmp_path / source, tmp_path / output, overwrite=True)

    assert caught.value.remedy


def test_a_missing_column_is_named_with_the_nearest_one(tmp_path: Path):
    with pytest.raises(DataError, match="there is no column 'text'") as caught:
        score_content(tmp_path, "posts.csv", b"id,texts\n1,Ada\n")

    assert "Did you mean 'texts'?" in caught.value.remedy
    assert "--text-column" in caught.value.remedy


def test_a_row_of_csv_with_a_cell_too_many_is_set_aside(tmp_path: Path):
    rows = score_content(tmp_path, "posts.csv", b'id,text\n1,Ada,Bob\n2\n3,"a"b\n4,Caf\xe9\n5,Eve\n')

    assert count_mentions(rows) == [0, 0, 0, 0, 1]
    assert [row["error"] for row in rows[:2]] == [
        "3 cells, where the header has 2",
        "1 cell, where the header has 2",
    ]
    assert rows[2]["error"].startswith("not CSV")
    assert rows[3]["error"] == "not UTF-8: byte 0xe9"


def test_a_wide_row_and_a_long_cell_come_through(tmp_path: Path):
    row = {"text": "Ada", "long": "x" * 1_000_000} | {f"column {number}": str(number) for number in range(2000)}

    score(write_rows(tmp_path / "posts.csv", [row]), tmp_path / "spans.parquet")

    [copied] = read_rows(tmp_path / "spans.parquet")
    assert {name: copied[name] for name in row} == row


def test_hostile_cells_stay_what_they_are(tmp_path: Path):
    texts = ["=cmd|' /C calc'!A0", "\x1b]0;x\x07 Ada", "\x00", "<script>alert(1)</script>", "\u2028Bob\u202e"]
    write_rows(tmp_path / "posts.jsonl", [{"text": text} for text in texts])

    for name in ("spans.csv", "spans.parquet", "spans.tsv.gz"):
        score(tmp_path / "posts.jsonl", tmp_path / name)

    for name in ("spans.csv", "spans.parquet", "spans.tsv.gz"):
        assert [row["text"] for row in read_rows(tmp_path / name)] == texts


def test_an_output_of_csv_can_be_scored_again(tmp_path: Path):
    score(write_rows(tmp_path / "posts.csv", build_rows(3)), tmp_path / "spans.csv")

    score(tmp_path / "spans.csv", tmp_path / "again.csv", prefix="new_")

    with (tmp_path / "again.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["entities"] for row in rows] == [row["new_entities"] for row in rows]
