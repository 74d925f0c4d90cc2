"""Folders and files that are nearly right: two formats, rows of another tool, packed files, repeated ids."""

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.errors import DataError
from tests.builders import write_jsonl
from tests.data.tool_rows import build_doccano, build_task, list_mentions, mark


def test_a_folder_of_two_formats_is_refused_with_the_files_of_each(load, write) -> None:
    write("train.jsonl", [build_doccano(1)])
    write("valid.jsonl", [{"text": "Ada", "spans": [], "answer": "accept"}])

    with pytest.raises(DataError, match=r"doccano in train\.jsonl; prodigy in valid\.jsonl"):
        load()


def test_a_folder_whose_only_file_is_named_after_no_split_says_which_path_to_name(tmp_path):
    write_jsonl(tmp_path / "export/admin.jsonl", [{"id": 1, "text": "Ada", "label": [[0, 3, "PER"]]}])

    with pytest.raises(DataError, match=r"no file is named after a split; there is admin\.jsonl\n") as caught:
        load_dataset(DataParams(path="export"), tmp_path)

    assert caught.value.remedy.startswith("Name export/admin.jsonl itself")


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_pieces_of_a_long_table_are_one_split_in_their_order(tmp_path, load, ending: str) -> None:
    for number in reversed(range(11)):
        path = tmp_path / f"train-{number:05d}-of-00011.{ending}"
        row = {"tokens": [f"Ada{number}"], "ner_tags": ["B-PER"]}
        if ending == "jsonl":
            write_jsonl(path, [row, row])
        else:
            pq.write_table(pa.Table.from_pylist([row, row]), path)

    posts = load().posts["train"]

    assert [post.text for post in posts] == [f"Ada{number // 2}" for number in range(22)]
    assert len({post.id for post in posts}) == 22


def test_a_piece_that_is_missing_is_missed(tmp_path, load) -> None:
    for number in (0, 2):
        path = tmp_path / f"train-{number:05d}-of-00003.jsonl"
        write_jsonl(path, [{"id": str(number), "tokens": ["Ada"], "ner_tags": ["B-PER"]}])

    with pytest.raises(DataError, match="piece 00001 is missing"):
        load()


@pytest.mark.parametrize(
    "content", [b'[{"id": 1, "data": {"text": "Ada"}, "annotations": [', b"PAR1\x00\x00", b"x\x9c\x00\x01"]
)
@pytest.mark.parametrize("name", ["train.json", "train.parquet", "train.spacy"])
def test_a_truncated_file_is_refused_with_its_name(load, write, name: str, content: bytes) -> None:
    write(name, content)

    with pytest.raises(DataError, match="train"):
        load()


@pytest.mark.parametrize("position", [0, 24, 49])
def test_one_row_of_fifty_that_is_off_costs_that_row(load, write, position: int) -> None:
    rows: list[Any] = [build_doccano(number) for number in range(50)]
    rows[position] = {"id": 99, "text": "Ada", "label": [[0, 3]]}
    write("train.jsonl", rows)

    dataset = load()

    assert dataset.stats["format"] == "doccano"
    assert [row.line for row in dataset.quarantine] == [position + 1]
    assert len(dataset.posts["train"]) == 49


def test_a_repeated_id_is_a_mistake_in_one_file_and_a_tool_s_number_in_another(load, write) -> None:
    write("train.jsonl", [build_doccano(1), build_doccano(1, text="Ada visits London twice")])
    write("test.jsonl", [build_doccano(1, text="Ada visits London at last")])

    dataset = load()

    assert [row.id for row in dataset.quarantine] == ["1"]
    assert [post.id for post in dataset.posts["test"]] == ["test:1"]


def test_labels_that_differ_in_case_or_blanks_are_named(load, write) -> None:
    labels = ["PER", "Per", "PER ", "LOC"]
    write("train.jsonl", [build_doccano(n, label=[[0, 3, label]]) for n, label in enumerate(labels)])

    warnings = " ".join(load().stats["warnings"])

    assert "differ in letter case or blanks alone" in warnings


PRODIGY = {"text": "Ada waves", "spans": [{"start": 0, "end": 3, "label": "PER"}], "answer": "accept"}
TAGGED = {"tokens": ["Ada", "waves"], "ner_tags": ["B-PER", "O"]}
OWN = {"id": "x", "text": "Ada", "entities": [{"start": 0, "end": 3, "type": "PER"}]}


@pytest.mark.parametrize(("name", "row"), [("prodigy", PRODIGY), ("tags", TAGGED), ("jsonl", OWN)])
def test_rows_of_another_format_in_a_file_do_not_count_as_posts_without_mentions(load, write, name, row) -> None:
    write("train.jsonl", [*(build_doccano(number) for number in range(3)), row])

    dataset = load()

    assert len(dataset.posts["train"]) == 3
    assert [problem.line for problem in dataset.quarantine] == [4]
    assert f"one of {name}, in a file of doccano" in dataset.quarantine[0].reason


def test_rows_of_one_long_line_are_named_by_their_number(load, write) -> None:
    rows = [build_task([mark(0, 3, "PER")], id=number) for number in range(50)]
    rows[30] = build_task([mark(0, 2, "PER")], id=30)
    write("train.json", json.dumps(rows))

    (problem,) = load().quarantine

    assert (problem.line, problem.id) == (1, "30")
    assert problem.reason.startswith("item 31: ")


def test_rows_over_several_lines_and_lists_of_own_rows_are_read(load, write) -> None:
    write("train.jsonl", "".join(json.dumps(OWN | {"id": name}, indent=2) + "\n" for name in "ab"))
    write("valid.json", json.dumps([OWN | {"text": "Ada waves"}]))

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["a", "b"]
    assert [post.line for post in dataset.posts["train"]] == [1, 12]
    assert [post.id for post in dataset.posts["valid"]] == ["x"]


@pytest.mark.parametrize("indent", [None, 1])
def test_rows_inside_an_object_are_refused_with_the_command_that_unwraps_them(load, write, indent) -> None:
    write("train.json", json.dumps({"version": "1", "data": [build_doccano(1)]}, indent=indent))

    (problem,) = load(require_train=False).quarantine

    assert "holds a list of 1 under 'data'" in problem.reason
    assert "jq '.data'" in problem.remedy


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("train.jsonl.gz", b"\x1f\x8b\x08", r"it is packed \(gunzip train\.jsonl\.gz\)"),
        ("train.xlsx", b"PK\x03\x04", "it is a spreadsheet: save it as CSV"),
        ("news/1.ann", b"", "there is news"),
    ],
)
def test_files_that_are_not_read_are_named_with_what_helps(load, write, name, content, reason) -> None:
    write(name, content)

    with pytest.raises(DataError, match=reason):
        load()


def test_a_folder_of_documents_is_the_train_split_whatever_its_name_speaks_of(load, write) -> None:
    write("brat-test-export/1.txt", "Ada waves")
    write("brat-test-export/1.ann", "T1\tPER 0 3\tAda\n")

    assert list_mentions(load(path="brat-test-export")) == [[("Ada", "PER")]]


@pytest.mark.parametrize("labels", [("\u00dcbung", "U\u0308bung"), ("PER", "\uff30\uff25\uff32"), ("a b", "A B")])
def test_labels_that_look_alike_are_named_whatever_their_unicode_form(load, write, labels) -> None:
    write("train.jsonl", [build_doccano(n, label=[[0, 3, label]]) for n, label in enumerate(labels)])

    assert any("are learnt as 2 labels" in warning for warning in load().stats["warnings"])
