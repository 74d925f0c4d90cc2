"""What only a whole data set can show: its format, its splits, ids, inventories, companions."""

import json

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import Kind, iterate_posts
from cotpd.errors import DataError
from tests.builders import build_row


@pytest.fixture
def good(write):
    """A train and a test split of our own format."""
    write("train.jsonl", [build_row(1), build_row(2)])
    write("test.jsonl", [build_row(3)])


# --- finding files


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

    with pytest.raises(DataError, match=r"no annotated posts.*jsonl.*Twitter-2015.*WikiDiverse.*MNRE"):
        load()


def test_a_missing_folder_is_refused(load) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        load(path="nowhere")


def test_training_posts_that_are_all_bad_are_refused_with_the_first_reason(load, write) -> None:
    write("train.jsonl", '{"id": "1"}\n')

    with pytest.raises(DataError, match=r"no training post could be used.*train\.jsonl:1: missing: text"):
        load()


# --- ids, leaks, limit


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
    assert any("share 1 texts" in warning for warning in dataset.stats["warnings"])


def test_limit_takes_the_first_posts_of_each_split(load, good) -> None:
    posts = load(limit=1).posts

    assert {split: len(rows) for split, rows in posts.items()} == {"train": 1, "test": 1}
    assert [post.id for post in iterate_posts(posts)] == ["1", "3"]


def test_the_same_files_give_the_same_data_set(load, good) -> None:
    assert load() == load()


# --- inventories


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


# --- pictures, captions, answers


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


@pytest.fixture
def captioned(load, write):
    """Five posts and five captions, of which three match a post without one of its own."""
    images = [{}, {"image": "images/b.jpg"}, {"image": "images/c.jpg"}, {"caption": "own"}, {}]
    write("train.jsonl", [build_row(number, **image) for number, image in enumerate(images, 1)])
    captions = [
        {"id": 1, "caption": " by\nid "},
        {"image": "b.jpg", "caption": "by name"},
        {"image": "images/c.jpg", "caption": "by path"},
        {"id": "9", "caption": "of no post"},
        {"id": "5", "caption": None},
    ]
    write("captions.jsonl", captions)
    return load(captions="captions.jsonl")


def test_captions_are_matched_by_id_or_picture(captioned) -> None:
    assert [post.caption for post in captioned.posts["train"]] == ["by id", "by name", "by path", "own", None]


def test_captions_that_match_and_that_do_not_are_counted(captioned) -> None:
    counts = {"read": 5, "empty": 1, "fallback_picture": 0, "posts_with": 3, "posts_without": 2}

    assert captioned.stats["captions"] == counts


@pytest.mark.parametrize(
    "line",
    [
        "no caption line",
        '{"caption": "of whom?"}',
        "{'id': ",
        '{"id": "1", "caption": 4}',
        "{1}",
        "{}",
        '{"id": true, "caption": "x"}',
        '{"id": 1.0, "caption": "x"}',
        '{"id": ' + "9" * 5000 + ', "caption": "x"}',
        "{'id': 0x" + "f" * 5000 + ", 'caption': 'x'}",
        "{" * 100_000,
    ],
)
def test_a_bad_caption_line_is_set_aside(load, write, good, line: str) -> None:
    write("captions.jsonl", '{"id": "1", "caption": "a cat"}\n' + line + "\n")

    dataset = load(captions="captions.jsonl")

    assert dataset.posts["train"][0].caption == "a cat"
    assert [(row.file, row.line) for row in dataset.quarantine] == [("captions.jsonl", 2)]


@pytest.mark.parametrize("key", ["captions", "answers"])
def test_of_two_captions_or_answers_the_second_is_set_aside(load, write, good, key: str) -> None:
    rows = [{"id": "1", "text": text} for text in ("a cat", "a cat", "a dog")]
    write("more.jsonl", rows)

    dataset = load(**{key: "more.jsonl"})

    post = dataset.posts["train"][0]
    assert (post.caption or post.knowledge[Kind.SENTENCE]) == "a cat"
    assert [(row.file, row.line) for row in dataset.quarantine] == [("more.jsonl", 3)]


@pytest.mark.parametrize("pattern", ["c_{split}.jsonl", "c_*.jsonl"])
def test_companions_may_be_a_pattern(load, write, good, pattern: str) -> None:
    write("c_train.jsonl", [{"id": "1", "caption": "one"}])
    write("c_test.jsonl", [{"id": "3", "caption": "three"}])

    posts = load(captions=pattern).posts

    assert (posts["train"][0].caption, posts["test"][0].caption) == ("one", "three")


def test_answers_are_matched_by_id_and_kind(load, write) -> None:
    write("train.jsonl", [build_row(1), build_row(2, knowledge={"noun": "own"}), build_row(3)])
    answers = [
        {"id": "1", "text": "plain \ud83d"},
        {"id": 2, "kind": "multimodality", "text": "seen"},
        {"id": "9", "text": "of no post"},
        {"id": "3", "text": " "},
    ]
    write("answers.jsonl", "\n".join(json.dumps(answer) for answer in answers))

    dataset = load(answers="answers.jsonl", answers_kind="sentence")

    assert [post.knowledge for post in dataset.posts["train"]] == [
        {Kind.SENTENCE: "plain ?"},
        {Kind.NOUN: "own", Kind.MULTIMODALITY: "seen"},
        {},
    ]
    assert dataset.stats["answers"] == {
        "read": 4,
        "matched": 2,
        "unmatched": 1,
        "empty": 1,
        "posts_with": 2,
        "posts_without": 1,
    }
    assert not dataset.quarantine, "a file that covers more posts is no fault"


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"id": "1"}',
        '{"id": "1", "text": 2}',
        '{"id": "1", "text": "x", "kind": "gossip"}',
        "[1]",
        '{"id": "1", "text": "x", "kind": "style"}',
        '{"id": true, "text": "x"}',
        '{"id": 2.0, "text": "x"}',
        '{"id": "2", "text": "x", "kind": ["noun"]}',
        '{"id": "2", "text": "x", "kind": null}',
        '{"id": ' + "9" * 5000 + ', "text": "x"}',
    ],
)
def test_a_bad_answer_line_is_set_aside(load, write, good, line: str) -> None:
    write("answers.jsonl", line + '\n{"id": "2", "text": "fine"}\n')

    dataset = load(answers="answers.jsonl")

    assert dataset.posts["train"][1].knowledge == {Kind.SENTENCE: "fine"}
    assert [(row.file, row.line) for row in dataset.quarantine] == [("answers.jsonl", 1)]


def test_reasoning_in_answers_that_came_with_the_data_is_removed_or_refused(load, write) -> None:
    write("train.jsonl", [build_row("1"), build_row("2")])
    whole = {"id": "1", "text": "<think>Who?\n</think>\nAda: a mathematician</s>"}
    cut = {"id": "2", "text": "<think>Who is Ada?"}
    write("answers.jsonl", json.dumps(whole) + "\n" + json.dumps(cut) + "\n")

    dataset = load(answers="answers.jsonl")

    assert [post.knowledge for post in dataset.posts["train"]] == [{Kind.SENTENCE: "Ada: a mathematician"}, {}]
    assert [(bad.file, bad.line) for bad in dataset.quarantine] == [("answers.jsonl", 2)]
    assert "reasoning" in dataset.quarantine[0].reason


@pytest.mark.parametrize("key", ["captions", "answers"])
def test_a_companion_that_is_not_there_is_refused(load, good, key: str) -> None:
    for pattern in ("gone.jsonl", "gone_*.jsonl", "gone_{split}.jsonl"):
        with pytest.raises(DataError, match=rf"{key} 'gone.*nothing of that name"):
            load(**{key: pattern})


@pytest.mark.parametrize("key", ["captions", "answers"])
@pytest.mark.parametrize("pattern", ["**.jsonl", "a\0b", "a\0*", "x" * 300, "x" * 300 + "*"])
def test_what_is_no_pattern_of_file_names_is_refused(load, good, key: str, pattern: str) -> None:
    with pytest.raises(DataError, match=rf"{key} '") as caught:
        load(**{key: pattern})

    assert f"data.{key}" in caught.value.remedy


@pytest.mark.parametrize("key", ["captions", "answers"])
@pytest.mark.parametrize(
    ("pattern", "problem"),
    [("", "is blank"), (" ", "is blank"), (".", "posts themselves"), ("train.jsonl", "posts themselves")],
)
def test_posts_are_never_their_own_companions(load, good, key: str, pattern: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        load(**{key: pattern})


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


def test_a_companion_that_is_not_utf8_is_refused(load, write, good) -> None:
    write("captions.jsonl", b"\n1.jpg :caf\xe9\n")

    with pytest.raises(DataError, match=r"captions\.jsonl:2: not UTF-8"):
        load(captions="captions.jsonl")


def test_a_project_that_names_no_data_set_is_told_what_to_name() -> None:
    with pytest.raises(DataError, match=r"data\.path names no data set") as caught:
        load_dataset(DataParams())

    assert "cotpd preset apply sample" in caught.value.remedy
