"""A file that is named after a split is read or refused, never passed over."""

import json

import pytest

from cotpd.errors import DataError
from tests.builders import build_row

TWITTER = "IMGID:1\nAda\tB-PER\n\n"
PAIR = (
    "{'token': ['Ada', 'met', 'Bob'], 'h': {'name': 'Ada', 'pos': [0, 1]}, "
    "'t': {'name': 'Bob', 'pos': [2, 3]}, 'img_id': '%s.jpg', 'relation': 'None'}\n"
)
SENTENCE = ["Ada waves", "", "", [["Ada", "Person", 0, 3, ""]]]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("mnre_{}.txt", PAIR % 1, "damaged\n" + PAIR % 2),
        ("mnre_{}.txt", PAIR % 1, "damaged\n"),
        ("my-{}-set.jsonl", '{"id": "1", "text": "Ada"}\n', "damaged\n"),
        ("{}.txt", TWITTER, "damaged\n\nIMGID:2\nBob\tO\n"),
        ("{}.json", json.dumps([SENTENCE]), "damaged"),
        ("posts.{}.JSONL", '{"id": "1", "text": "Ada"}\n', "\x00\x01\n"),
    ],
)
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_damaged_file_is_read_as_its_siblings_are(load, write, name, first, second, split) -> None:
    sibling = {"train": "val", "val": "train"}[split]
    write(name.format(split), second)
    write(name.format(sibling), first)

    dataset = load(require_train=False)

    assert list(dataset.posts) == ["train", "valid"]
    assert [row.file for row in dataset.quarantine][:1] == [name.format(split)]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("valid.jsonl.gz", b"\x1f\x8b\x08", "it is packed"),
        ("valid.pkl", b"\x80\x04", r"it ends in \.pkl, not in \.jsonl"),
        ("dev.csv", b"id,text\n", r"it ends in \.csv"),
        ("Validation", b'{"id": "2", "text": "Bob"}\n', "it ends in nothing"),
        ("my_valid.ndjson", b'{"id": "2", "text": "Bob"}\n', r"it ends in \.ndjson"),
        ("valid/posts.jsonl", b'{"id": "2", "text": "Bob"}\n', "it is a folder"),
        ("valid.jsonl/posts", b"", "it is a folder"),
        ("valid.jsonl.txt", b'{"id": "2", "text": "Bob"}\n', r"it ends in \.txt, not in \.jsonl"),
        ("valid.dat", b'{"id": "2", "text": "Bob"}\n', r"it ends in \.dat, not in \.jsonl"),
        ("my_valid.jsonl.bak", b'{"id": "2", "text": "Bob"}\n', r"it ends in \.bak, not in \.jsonl"),
    ],
)
def test_a_split_that_cannot_be_read_is_refused(load, write, name: str, content: bytes, reason: str) -> None:
    write("train.jsonl", [build_row(1)])
    write(name, content)

    with pytest.raises(DataError, match=rf"{name.split('/')[0]} is named after the valid split.*{reason}"):
        load()


def test_a_link_to_nothing_is_refused(load, write, tmp_path) -> None:
    write("train.jsonl", [build_row(1)])
    (tmp_path / "test.jsonl").symlink_to(tmp_path / "gone.jsonl")

    with pytest.raises(DataError, match=r"test\.jsonl is named after the test split.*a link to nothing"):
        load()


@pytest.mark.parametrize(
    "name", ["Valid.jsonl", "VALIDATION.JSONL", "dev.Jsonl", "development.jsonl", "myVal.jsonl"]
)
def test_a_split_is_known_in_any_case_and_by_its_other_names(load, write, name: str) -> None:
    write("Train.jsonl", [build_row(1)])
    write(name, [build_row(2)])

    assert list(load().posts) == ["train", "valid"]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_an_empty_split_is_a_problem(load, write, content: bytes) -> None:
    write("train.jsonl", [build_row(1)])
    write("valid.jsonl", content)

    assert [(row.file, row.reason) for row in load().quarantine] == [("valid.jsonl", "the file holds no post")]


def test_what_stands_beside_the_splits_is_left_alone_and_named(load, write) -> None:
    write("train.jsonl", [build_row(1)])
    for name in (
        "train_old.jsonl",
        "train.csv",
        "train.jpg",
        "test.md",
        "test.py",
        "test/a.jpg",
        "test_train.jsonl",
    ):
        write(name, b"x")

    dataset = load()

    assert list(dataset.posts) == ["train"]
    assert "not read: test_train.jsonl, train.csv, train_old.jsonl" in dataset.stats["warnings"]


def test_captions_by_split_are_no_splits(load, write) -> None:
    write("train.jsonl", [build_row(1)])
    write("captions_train.jsonl", [{"id": "1", "caption": "a cat"}])
    write("captions_test.jsonl", [{"id": "9", "caption": "a dog"}])

    dataset = load(captions="captions_{split}.jsonl")

    assert list(dataset.posts) == ["train"]
    assert dataset.posts["train"][0].caption == "a cat"


def test_released_captions_beside_pairs_are_no_splits(load, write) -> None:
    write("mnre_train.txt", PAIR % 1)
    for split in ("train", "val", "test"):
        write(f"BLIP_{split}.txt", "{'img_id': '1.jpg', 'text': 'a ball'}\n")

    assert list(load().posts) == ["train"]


@pytest.mark.parametrize("tail", ['[["Bob", "", "", []]]', "null", "]", "{}"])
def test_what_stands_behind_the_list_of_rows_is_refused(load, write, tail: str) -> None:
    write("train.json", json.dumps([SENTENCE]) + "\n" + tail)

    with pytest.raises(DataError, match=r"train\.json:2: .* behind the end of the list"):
        load()


def test_what_was_seen_is_named_where_nothing_is_recognised(load, write) -> None:
    write("train.txt", "")
    write("test.txt", "Ada waves\n")

    with pytest.raises(DataError, match=r"test\.txt: its first lines are of no format.*train\.txt: it is empty"):
        load()


def test_of_many_files_that_are_not_read_the_first_are_named_and_the_others_counted(load, write) -> None:
    for number in range(7):
        write(f"test_{number}.py", "import json\n")

    with pytest.raises(DataError, match=r"test_4\.py: its first lines[^;]*; and 2 more files; looked for jsonl"):
        load()


def test_a_split_of_which_nothing_can_be_used_is_noted(load, write) -> None:
    write("train.jsonl", [build_row(1)])
    write("valid.jsonl", [build_row(2, label=[[0, 3, "PER"]])])

    dataset = load()

    assert len(dataset.quarantine) == 1
    assert "valid: not one of its rows can be used" in dataset.stats["warnings"]


def test_answers_whose_split_is_not_named_are_refused(load, write) -> None:
    write("train.txt", TWITTER)
    write("answers/knowledge.txt", "Ada\tB-PER\n<EOS>\tX\nname\tX\n")

    with pytest.raises(DataError, match=r"knowledge\.txt: its name does not say which split it answers"):
        load(answers="answers")


def test_answers_are_found_whatever_the_case_of_their_ending(load, write) -> None:
    write("train.txt", TWITTER)
    write("answers/Train.TXT", "Ada\tB-PER\n<EOS>\tX\nname\tX\n")

    assert load(answers="answers").stats["answers"]["matched"] == 1
