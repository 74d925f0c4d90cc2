"""Offsets are checked against what they are said to mark, and may be counted as other languages count."""

import json

import pytest

PARTY = "🎉 Leo met Zoë of Rome"


def build_marked_row(start: int, end: int, text: str = PARTY, post_id: str = "1") -> dict:
    return {"id": post_id, "text": text, "entities": [{"start": start, "end": end, "type": "PER"}]}


def read_mention(dataset) -> str:
    [post] = dataset.posts["train"]
    return post.get_mention(post.entities[0])


@pytest.mark.parametrize("surface", ["Leo Roy", "Leo\nRoy"])
def test_a_span_that_agrees_with_its_text_is_read(load, write, surface: str) -> None:
    row = build_marked_row(2, 9, "🎉 Leo Roy")
    row["entities"][0]["text"] = surface
    write("train.jsonl", [row])

    assert read_mention(load()) == "Leo Roy"


@pytest.mark.parametrize(
    ("start", "end", "surface", "reason"),
    [
        (3, 6, "Leo", "marks 'eo ', not 'Leo': counted in UTF-16, or counted from 1?"),
        (5, 8, "Leo", "marks ' me', not 'Leo': counted in bytes?"),
        (2, 4, "Leo", "marks 'Le', not 'Leo': is the end inclusive?"),
        (3, 5, "Leo", "marks 'eo', not 'Leo': counted from 1?"),
        (
            2,
            5,
            "Zoë",
            "marks 'Leo', not 'Zoë', which stands 8 characters later: was the text changed afterwards?",
        ),
        (2, 5, "Eve", "marks 'Leo', not 'Eve'"),
        (2, 999, "Leo", "marks nothing, not 'Leo'"),
    ],
)
def test_a_span_that_contradicts_its_text_is_refused_with_how_it_was_counted(
    load, write, start: int, end: int, surface: str, reason: str
) -> None:
    row = build_marked_row(start, end)
    row["entities"][0]["text"] = surface
    write("train.jsonl", [build_marked_row(2, 5, "🎉 Leo", "0"), row])

    [refused] = load().quarantine

    assert refused.reason == f"entity {start}:{end} {reason}"
    assert refused.remedy


@pytest.mark.parametrize(("unit", "start", "end"), [("characters", 10, 13), ("utf16", 11, 14), ("bytes", 13, 17)])
@pytest.mark.parametrize("spelt", [True, False])
def test_offsets_are_read_in_the_unit_that_is_named(load, write, unit, start, end, spelt: bool) -> None:
    row = build_marked_row(start, end)
    if spelt:
        row["entities"][0]["text"] = "Zoë"
    write("train.jsonl", [row])

    assert read_mention(load(offsets=unit)) == "Zoë"


@pytest.mark.parametrize(("unit", "start", "end"), [("utf16", 11, 14), ("bytes", 13, 17)])
def test_offsets_of_wikidiverse_are_read_so_too(load, write, unit: str, start: int, end: int) -> None:
    write("train.json", json.dumps([[PARTY, "", "", [["Zoë", "Person", start, end, ""]]]]))

    assert "counted in" in load(require_train=False).quarantine[0].reason
    assert read_mention(load(offsets=unit)) == "Zoë"


def test_without_its_text_a_span_inside_words_is_asked_about_and_the_other_rows_are_doubted(load, write) -> None:
    write("train.jsonl", [build_marked_row(3, 6), build_marked_row(2, 5, "🎉 A B C Leo", "2")])

    dataset = load(require_train=False)

    assert "counted in UTF-16?" in dataset.quarantine[0].reason
    assert "data.offsets: utf16" in dataset.quarantine[0].remedy
    assert any("may be shifted too" in warning for warning in dataset.stats["warnings"])


@pytest.mark.parametrize(("start", "end", "reason"), [(1, 6, "inside a character"), (3, 99, "lies outside")])
def test_a_border_that_the_unit_does_not_have_is_refused(load, write, start: int, end: int, reason: str) -> None:
    write("train.jsonl", [build_marked_row(start, end)])

    assert reason in load(require_train=False, offsets="utf16").quarantine[0].reason


@pytest.mark.parametrize("value", [0.0, 0.9, True, None, "x", [0], 10**30])
def test_what_is_no_whole_number_is_no_offset(load, write, value: object) -> None:
    row = build_marked_row(2, 5)
    row["entities"][0]["start"] = value
    write("train.jsonl", [row])

    assert load(require_train=False).quarantine


def test_with_tokens_the_text_of_an_entity_is_checked_word_by_word(load, write) -> None:
    good = {"id": "1", "tokens": ["at", "New", "York"], "entities": [{"start": 1, "end": 3, "text": "New York"}]}
    bad = good | {"id": "2", "entities": [{"start": 0, "end": 1, "text": "New"}]}
    write("train.jsonl", [good, bad])

    dataset = load()

    assert read_mention(dataset) == "New York"
    assert dataset.quarantine[0].reason == "an entity marks the words 'at', not 'New'"
