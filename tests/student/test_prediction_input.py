"""Rows as a user writes them: where a mention stands, and what is said of one that does not."""

import pytest

from cotpd.errors import DataError
from cotpd.student.prediction_input import PredictionInput, build_example, read_input

TEXT = "Annual meeting: Ann thanks Bob, then Ann leaves"


def pair(head, tail, text=TEXT):
    asked = read_input("re", {"text": text, "head": head, "tail": tail}, "pairs.jsonl:3")
    return text[slice(*asked.head)], asked.head[0], asked.tail[0]


@pytest.mark.parametrize(
    ("head", "tail", "starts"),
    [
        ("Ann", "Bob", (16, 27)),  # and not in "Annual"
        ("Ann", "Ann", (16, 37)),  # the same name twice: the tail is the next one
        ("Annu", "ing", (0, 11)),  # within a word, where it stands nowhere else
        ([0, 6], "Ann", (0, 16)),
        ([37, 40], [16, 19], (37, 16)),
    ],
)
def test_a_mention_is_a_word_where_it_can_be(head, tail, starts):
    _, *found = pair(head, tail)
    assert tuple(found) == starts


def test_a_mention_may_begin_and_end_with_any_token():
    assert pair("#NASA", "Ada's", "so #NASA has Ada's")[1:] == (3, 13)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (None, "head is missing"),
        (3, "head is int, not text"),
        ("Eve", "head 'Eve' does not stand in the text"),
        (" ", "head ' ' does not stand in the text"),
        ([0, 90], r"head \[0, 90\] is no place in a text of 47 characters"),
        ([-1, 3], "no place"),
        ([3, 3], "no place"),
        ([3], "no place"),
        ([0.0, 3.0], "no place"),
        ([False, True], "no place"),
        ([6, 7], r"no word at head \[6, 7\]"),
    ],
)
def test_a_mention_that_is_not_there_is_named_with_its_line(head, message):
    with pytest.raises(DataError, match=rf"^pairs\.jsonl:3: .*{message}") as caught:
        pair(head, "Bob")
    assert caught.value.remedy


def test_a_name_that_stands_once_is_no_pair_with_itself():
    with pytest.raises(DataError, match="tail 'Bob' does not stand in the text a second time"):
        pair("Bob", "Bob")


def test_what_was_asked_becomes_an_example_unless_there_is_no_word():
    asked = read_input("re", {"text": TEXT, "head": "Ann", "tail": "Bob"}, "row 1")
    example = build_example(asked)
    assert [example.tokens[span[0]] for span in (example.head, example.tail)] == ["Ann", "Bob"]
    assert build_example(read_input("ner", {"text": " ", "head": "x"}, "row 1")) is None
    assert read_input("ner", {"text": "Ann"}, "row 1") == PredictionInput("Ann")
