"""What only a whole data set can show: its format, its splits, ids, inventories, companions."""

import json

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import iterate_posts
from cotpd.errors import DataError
from tests.builders import build_row


def test_splits_are_known_by_their_usual_names(load, write) -> None:
    for number, name in enumerate(
        ["my_train.jsonl", "posts.dev.jsonl", "TEST.jsonl", "latest.jsonl", "notes.txt"]
    ):
        write(name, [build_row(number)])

    assert {s: rows[0].id for s, rows in load().posts.items()} == {"train": "0", "valid": "1", "test": "2"}


def test_a_single_file_is_a_data_set(load, write) -> None:
    write("posts.jsonl", [build_row(1)])
    write("valid.jsonl", [build_row(2)])

    assert list(load(path="posts.jsonl").posts) == ["train"]
    assert list(load(path="valid.jsonl", require_train=False).posts) == ["valid"]
    with pytest.raises(DataError, match=r"valid\.jsonl: no train split among valid\.jsonl"):
        load(path="valid.jsonl")


def test_the_file_named_for_the_split_alone_is_taken(load, write) -> None:
    write("train.jsonl", [build_row("plain")])
    write("train_old.jsonl", [build_row("old")])

    assert load().posts["train"][0].id == "plain"


def test_two_files_for_one_split_are_refused(load, write) -> None:
    write("a_train.jsonl", [build_row(1)])
    write("b_train.jsonl", [build_row(2)])

    with pytest.raises(DataError, match=r"a_train\.jsonl, b_train\.jsonl all claim to be the train split"):
        load()


def test_a_split_whose_first_line_is_broken_is_not_passed_over(load, write, good) -> None:
    write("test.jsonl", b"oops\n")

    dataset = load()

    assert dataset.posts["test"] == []
    assert [(row.file, row.line) for row in dataset.quarantine] == [("test.jsonl", 1)]


def test_formats_that_lie_together_must_be_told_apart(load, write, good) -> None:
    write("train.txt", "IMGID:1\nAda\tO\n")

    with pytest.raises(DataError, match=r"formats jsonl and twitter[^$]*data\.format"):
        load()
    assert load(format="twitter").stats["format"] == "twitter"


@pytest.mark.parametrize("name", ["train.txt", "train.csv", "readme.md"])
def test_what_is_not_recognised_is_refused_with_what_was_looked_for(load, write, name: str) -> None:
    write(name, "some text\n")

    with pytest.raises(DataError, match=r"no annotated posts.*jsonl.*twitter.*wikidiverse.*mnre.*doccano"):
        load()


def test_a_missing_folder_is_refused(load) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        load(path="nowhere")


def test_training_posts_that_are_all_bad_are_refused_with_the_first_reason(load, write) -> None:
    write("train.jsonl", '{"id": "1"}\n')

    with pytest.raises(DataError, match=r"no training post could be used.*train\.jsonl:1: missing: text"):
        load()


def test_a_repeated_id_is_set_aside_within_a_split_and_over_splits(load, write) -> None:
    write("train.jsonl", [build_row(1), build_row(1, text="Ada visits London too")])
    write("valid.jsonl", [build_row(1, text="Ada visits London then"), build_row(2)])

    dataset = load()

    assert [post.id for post in iterate_posts(dataset.posts)] == ["1", "2"]
    assert [(row.file, row.line) for row in dataset.quarantine] == [("train.jsonl", 2), ("valid.jsonl", 1)]
    assert all("already that of train.jsonl:1" in row.reason for row in dataset.quarantine)


def test_a_training_post_whose_text_is_tested_on_is_set_aside(load, write) -> None:
    write("train.jsonl", [build_row(1), build_row(2, text="Ada  VISITS London", entities=[], relations=[])])
    write("test.jsonl", [build_row(3, text="ada visits London")])

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["1"]
    assert [post.id for post in dataset.posts["test"]] == ["3"]
    assert "test.jsonl:1" in dataset.quarantine[0].reason


def test_published_splits_stay_as_published_and_what_they_share_is_counted(load, write) -> None:
    write("train.txt", "IMGID:1\nAda\tO\n")
    write("valid.txt", "IMGID:2\nada\tO\n")

    dataset = load()

    assert [len(rows) for rows in dataset.posts.values()] == [1, 1]
    assert dataset.stats["overlaps"] == {"train/valid": 1}
    assert any("share 1 text" in warning for warning in dataset.stats["warnings"])


def test_limit_takes_the_first_posts_of_each_split(load, good) -> None:
    posts = load(limit=1).posts

    assert {split: len(rows) for split, rows in posts.items()} == {"train": 1, "test": 1}
    assert [post.id for post in iterate_posts(posts)] == ["1", "3"]


def test_the_same_files_give_the_same_data_set(load, good) -> None:
    assert load() == load()


def build_entities(label: str) -> list[dict]:
    return [{"start": 0, "end": 3, "type": label}]


def test_types_are_those_of_train_then_what_others_hold_and_nothing_is_dropped(load, write) -> None:
    write(
        "train.jsonl",
        [
            build_row(1, entities=build_entities("PER"), relations=[]),
            build_row(2, entities=build_entities("LOC"), relations=[]),
        ],
    )
    write("test.jsonl", [build_row(3, entities=build_entities("ART"), relations=[])])

    dataset = load()

    assert dataset.types == ("LOC", "PER", "ART")
    assert len(dataset.posts["test"]) == 1
    assert any("train holds no ART" in warning for warning in dataset.stats["warnings"])


def test_a_type_outside_the_inventory_given_is_set_aside(load, write) -> None:
    write("train.jsonl", [build_row(1), build_row(2, entities=build_entities("PERSON"), relations=[])])

    dataset = load(types=("PER", "LOC", "ORG"))

    assert dataset.types == ("PER", "LOC", "ORG")
    assert dataset.labels == ("None",)
    assert [row.reason for row in dataset.quarantine] == ["PERSON is outside data.types (PER, LOC, ORG)"]


def test_types_may_list_relation_labels(load, write) -> None:
    bad = [{"head": 0, "tail": 1, "label": "/typo"}]
    write("train.jsonl", [build_row(1), build_row(2, relations=bad)])

    dataset = load(types=("/a", "None"))

    assert dataset.labels == ("None", "/a")
    assert dataset.types == ("LOC", "PER")
    assert len(dataset.quarantine) == 1


def test_an_inventory_that_fits_nothing_is_refused(load, good) -> None:
    with pytest.raises(DataError, match=r"none of PERSON occurs[^$]*LOC, PER, None"):
        load(types=("PERSON",))


def test_a_missing_picture_is_counted_and_keeps_its_name(load, write) -> None:
    write(
        "train.jsonl",
        [build_row(1, image="images/a.jpg"), build_row(2, image="images/gone.jpg"), build_row(3, image=...)],
    )
    write("images/a.jpg", b"a picture")

    dataset = load()

    assert [post.image for post in dataset.posts["train"]] == ["images/a.jpg", "images/gone.jpg", None]
    counts = dataset.stats["splits"]["train"]
    assert (counts["name_a_picture"], counts["picture_at_hand"]) == (2, 1)


def test_a_picture_whose_name_no_file_could_have_is_not_at_hand(load, write) -> None:
    write("train.jsonl", [build_row(1, image="x" * 5000), build_row(2, image="a\0b")])

    assert load().stats["splits"]["train"]["picture_at_hand"] == 0


@pytest.mark.parametrize("folder", ["", "images/"])
def test_a_picture_is_found_by_its_id(load, write, folder: str) -> None:
    write("train.txt", "IMGID:17_1\nAda\tO\n")
    write(f"{folder}17_1.jpg", b"")

    assert load().posts["train"][0].image == f"{folder}17_1.jpg"


def test_a_file_whose_name_is_no_utf8_is_read_and_named(load, write, tmp_path) -> None:
    with open(bytes(tmp_path) + b"/caf\xe9_train.jsonl", "wb") as file:  # noqa: PTH123
        file.write(json.dumps(build_row(1)).encode() + b"\noops\n")
    write("\N{SNOWMAN}_test.jsonl", [build_row(2)])

    dataset = load()

    assert [post.file for post in dataset.posts["train"]] == ["caf?_train.jsonl"]
    assert [refused.model_dump_json() for refused in dataset.quarantine]


def test_a_path_that_is_too_long_is_refused(load) -> None:
    with pytest.raises(DataError, match="File name too long"):
        load(path="x" * 300)


def test_a_project_that_names_no_data_set_is_told_what_to_name() -> None:
    with pytest.raises(DataError, match=r"data\.path names no data set") as caught:
        load_dataset(DataParams())

    assert "cotpd preset apply sample" in caught.value.remedy
