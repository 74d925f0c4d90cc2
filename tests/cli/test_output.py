"""What is printed of posts: nothing that a terminal obeys, nothing that an encoding cannot hold."""

import json
from dataclasses import dataclass

import pytest

from cotpd.cli.output import format_json_line, make_printable
from cotpd.errors import DataError


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zoë", "ascii"),
        ("\ud83d", "utf-8"),
        ("\x1b\x7f\x9b", "utf-8"),
        ("\ud83d\x9b", "ascii"),
        ("\u202e\u2066", "utf-8"),
    ],
)
def test_what_the_output_cannot_hold_is_escaped(text, encoding):
    line = format_json_line({"text": text}, "row 1", encoding)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {"text": text}


def test_the_rest_is_left_readable():
    assert format_json_line({"text": "Zoë"}, "row 1", "utf-8") == '{"text": "Zoë"}'


def test_what_cannot_be_written_is_named():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DataError, match=r"^posts:3: .*nested"):
        format_json_line({"more": deep}, "posts:3", "utf-8")


def test_control_characters_are_marked_one_by_one_wherever_they_stand():
    @dataclass(frozen=True)
    class Word:
        text: str
        size: int

    assert make_printable("a\tb\nc\x1b\x9b\x7f\r\u202e") == "a\tb\nc�����"
    assert make_printable({"a": [Word("\x00", 1)], "b\x07": None}) == {"a": [Word("�", 1)], "b�": None}
