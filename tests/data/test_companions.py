"""Captions and answers that come with the posts: which are matched, set aside or refused."""

import json

import pytest

from cotpd.data.records import Kind
from cotpd.errors import DataError
from tests.builders import build_row


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


def test_a_companion_that_is_not_utf8_is_refused(load, write, good) -> None:
    write("captions.jsonl", b"\n1.jpg :caf\xe9\n")

    with pytest.raises(DataError, match=r"captions\.jsonl:2: not UTF-8"):
        load(captions="captions.jsonl")
