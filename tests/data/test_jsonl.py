"""Our own format: good rows are read whole, and each kind of bad row is set aside with a reason that helps."""

import json
from typing import Any

import pytest

from cotpd.data.records import Kind
from cotpd.errors import DataError
from tests.builders import build_row


def test_a_row_is_read_with_all_that_it_says(load, write) -> None:
    write(
        "train.jsonl", [build_row(7, image="images/a.jpg", caption="a street", knowledge={"noun": "Ada: a name"})]
    )

    [post] = load().posts["train"]

    assert (post.id, post.image, post.caption) == ("7", "images/a.jpg", "a street")
    assert post.knowledge == {Kind.NOUN: "Ada: a name"}
    assert [(post.get_mention(entity), entity.type) for entity in post.entities] == [
        ("Ada", "PER"),
        ("London", "LOC"),
    ]
    assert [(r.head, r.tail, r.label) for r in post.relations] == [(0, 1, "None")]
    assert post.line == 1


def test_tokens_may_be_given_and_then_spans_count_tokens(load, write) -> None:
    entity = {"start": 1, "end": 3, "type": "ORG"}
    write(
        "train.jsonl",
        [
            {"id": "a", "tokens": ["at", "New", "York-Times"], "entities": [entity]},
            {
                "id": "b",
                "text": "in the New  York-Times!",
                "tokens": ["the", "New", "York-Times"],
                "entities": [entity],
            },
        ],
    )

    first, second = load().posts["train"]

    assert first.get_mention(first.entities[0]) == "New York-Times"
    assert second.get_mention(second.entities[0]) == "New  York-Times"
    assert second.text == "in the New  York-Times!"


@pytest.mark.parametrize(
    ("text", "mention"),
    [
        ("👩‍👩‍👧 met Ada 🎉🎉 today", "Ada"),
        ("👍🏽Ada👍🏽", "Ada"),
        ("زار أحمد مدينة القاهرة أمس", "القاهرة"),
        ("שלום לעדה בלונדון", "בלונדון"),
        ("東京 は 晴れ", "東京"),
        ("line one\u2028Ada on line two", "Ada"),
    ],
)
def test_offsets_hold_with_emoji_right_to_left_and_odd_separators(load, write, text: str, mention: str) -> None:
    start = text.index(mention)
    entity = {"start": start, "end": start + len(mention), "type": "PER"}
    write("train.jsonl", [{"id": "1", "text": text, "entities": [entity]}])

    [post] = load().posts["train"]

    assert post.text == text
    assert post.get_mention(post.entities[0]) == mention


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"id": ...}, "missing: id", "id of its own"),
    ({"id": "  "}, "missing: id", "id of its own"),
    ({"id": None}, "missing: id", "id of its own"),
    ({"id": True}, "the id True is no name", "a whole number"),
    ({"id": 1.7e18}, "the id 1.7e+18 is a float", "floats lose digits"),
    ({"id": 1.0}, "the id 1.0 is a float", "as a string"),
    ({"id": ["b"]}, "the id ['b'] is no name", "a whole number"),
    ({"text": ...}, "missing: text", "text"),
    ({"text": " \n", "entities": [], "relations": []}, "empty", "Remove"),
    ({"tokens": [], "text": ...}, "empty", "Remove"),
    ({"tokens": ["Ada", ""]}, "tokens", "empty"),
    ({"tokens": ["Bob"]}, "'Bob' is not in the rest of the text", "tokens"),
    ({"entities": [{"start": 0, "end": 2, "type": "PER"}]}, "0:2 does not begin and end with a word", "0:3"),
    ({"entities": [{"start": 0, "end": 4, "type": "PER"}]}, "0:4 does not begin", "0:3"),
    ({"entities": [{"start": 0, "end": 999, "type": "PER"}]}, "0:999", "mark those"),
    ({"entities": [{"start": 3, "end": 4, "type": "PER"}]}, "3:4", "no word"),
    ({"entities": [{"start": 0, "type": "PER"}]}, "no start and end", "type"),
    ({"entities": [{"start": 0, "end": 3, "type": 5}]}, "type is not a word", "relations"),
    ({"entities": "PER"}, "entities is not a list", "[]"),
    (
        {"entities": [{"start": 0, "end": 10, "type": "PER"}, {"start": 4, "end": 17, "type": "LOC"}]},
        "overlap: 'Ada visits' (PER) and 'visits London' (LOC)",
        "Keep",
    ),
    ({"relations": [{"head": 0, "tail": 2, "label": "x"}]}, "0 to 2 does not join two of 2", "from 0"),
    ({"relations": [{"head": 1, "tail": 1, "label": "x"}]}, "1 to 1", "from 0"),
    ({"relations": [{"head": 0, "tail": 1}]}, "no label", "None"),
    (
        {"relations": [{"head": 0, "tail": 1, "label": "x"}, {"head": 0, "tail": 1, "label": "y"}]},
        "x and y",
        "one",
    ),
    ({"entites": []}, "did you mean 'entities'", "Rename"),
    ({"knowledge": {"gossip": "x"}}, "'gossip'", "noun, sentence, multimodality"),
    ({"knowledge": {"style": "x"}}, "'style'", "noun, sentence, multimodality"),
    ({"caption": 3}, "caption is not a string", "Quote"),
    ({"image": "/etc/passwd"}, "outside the data set's folder", "below the folder"),
    ({"image": "../secret.jpg"}, "outside the data set's folder", "below the folder"),
]


@pytest.mark.parametrize(("changes", "reason", "remedy"), BAD, ids=[reason for _, reason, _ in BAD])
def test_a_bad_row_is_set_aside_and_the_rest_is_read(load, write, changes, reason, remedy) -> None:
    if "entites" in changes:
        changes = {**changes, "entities": ..., "relations": ...}
    write("train.jsonl", [build_row("a"), {**build_row("b", **changes)}, build_row("c")])

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["a", "c"]
    [refused] = dataset.quarantine
    assert reason in refused.reason
    assert remedy in refused.remedy
    assert (refused.file, refused.line) == ("train.jsonl", 2)


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "b", "text": "cut of',
        "[1, 2]",
        '"text"',
        "{'id': 'b'}",
        "[" * 100_000,
        '{"id": "b", "text": "\\ud83d"}',
    ],
)
def test_a_broken_line_is_set_aside(load, write, line: str) -> None:
    write("train.jsonl", json.dumps(build_row("a")) + "\n" + line + "\r\n\n" + json.dumps(build_row("c")))

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["a", "c"]
    assert [refused.line for refused in dataset.quarantine] == [2]
    assert dataset.quarantine[0].model_dump_json(), "a refused row can be written to a table"


def test_keys_that_are_not_read_are_named_in_a_warning(load, write) -> None:
    write("train.jsonl", [build_row(lang="en")])

    assert any("lang" in warning for warning in load().stats["warnings"])


def test_a_file_that_is_not_utf8_is_refused_with_line_and_offset(load, write) -> None:
    write("train.jsonl", b'{"id": "1", "text": "ok"}\n{"id": "2", "text": "caf\xe9"}\n')

    with pytest.raises(DataError, match=r"train\.jsonl:2: not UTF-8: byte 0xe9 at offset 50"):
        load()


def test_a_byte_order_mark_is_no_part_of_the_text(load, write) -> None:
    write("train.jsonl", b'\xef\xbb\xbf{"id": "1", "text": "Ada"}\n')

    assert load().posts["train"][0].id == "1"
