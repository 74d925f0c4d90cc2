"""Judgements on wording, each on what it must catch and what it must let pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotpd.expectations.wording import (
    compute_repeated_share,
    count_words,
    find_missing_mentions,
    is_copy,
    make_plain_line,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two \n lines ", "two lines"),
        ("Words:\n- NASA: agency\n- Rome: city", "Words: NASA: agency; Rome: city"),
        ("* one.\n* two", "one. two"),
        ("**Ada** is __here__", "Ada is here"),
        ("2 * 3 * 4 and snake_case", "2 * 3 * 4 and snake_case"),
        ("#NASA\n#ESA", "#NASA #ESA"),
    ],
)
def test_tidy_makes_one_plain_line(text: str, expected: str) -> None:
    assert make_plain_line(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is Ada. She lives in", "It is Ada."),
        ('He said "go." Then he', 'He said "go."'),
        ("Ada: a name; Rome: a city; Os", "Ada: a name; Rome: a city"),
        ("Version 2.5 of the", ""),
        ("It is Ada.", "It is Ada."),
        ("endless words without a", ""),
    ],
)
def test_a_text_that_was_cut_off_ends_at_its_last_whole_sentence(text: str, expected: str) -> None:
    assert make_plain_line(text, cut_off=True) == expected


@given(st.text())
def test_tidy_is_done_once_and_never_adds_a_letter(text: str) -> None:
    once = make_plain_line(text)

    assert "\n" not in once
    assert once == once.strip()
    letters = [character for character in text if character.isalnum()]
    assert [character for character in once if character.isalnum()] == letters


def test_words_are_counted_and_marks_are_not() -> None:
    assert count_words("a - b 😀 c3 ... !") == 3


def test_loops_are_seen_and_prose_is_not() -> None:
    assert compute_repeated_share("person " * 20) > 0.9
    assert compute_repeated_share("the logo of the six, the logo of the six, the logo of the six") > 0.4
    assert compute_repeated_share("a man in a red shirt and a man in a blue shirt stand in front of a house") < 0.2
    assert compute_repeated_share("no no no no") == 0


def test_a_copy_is_a_copy_in_any_punctuation() -> None:
    assert is_copy("ADA, lives in rome!", "Ada lives in Rome", part=False)
    assert not is_copy("lives in Rome", "Ada lives in Rome", part=False)
    assert is_copy("lives in Rome", "Ada lives in Rome", part=True)
    assert not is_copy("Rome is a city", "Ada lives in Rome", part=True)
    assert not is_copy("!!!", "Ada", part=True)


def test_mentions_must_stand_to_the_letter_between_borders() -> None:
    assert find_missing_mentions(["Ada", "New York", "NASA"], "#NASA: New York has Ada.") == []
    assert find_missing_mentions(["Ada", "York City", "nasa"], "Adamant in York, City of NASA") == [
        "Ada",
        "York City",
        "nasa",
    ]
    assert find_missing_mentions(["Ada"], "Adas Ada") == []
