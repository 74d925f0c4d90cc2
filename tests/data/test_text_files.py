"""Files that are no UTF-8 text are named for what they are, with what converts them."""

import gzip

import pytest

from cotpd.errors import DataError
from tests.builders import build_row

POSTS = '{"id": "1", "text": "Zoë waves"}\n{"id": "2", "text": "東京 は 晴れ"}\n'
BLOCKS = "IMGID:1\nZoë\tB-PER\n東京\tB-LOC\n\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(("name", "text"), [("train.jsonl", POSTS), ("train.txt", BLOCKS)])
def test_wide_unicode_is_named_with_or_without_its_mark(load, write, name, text, encoding: str) -> None:
    write(name, text.encode(encoding))

    with pytest.raises(DataError) as caught:
        load()

    assert f"{name}: the text is {encoding.upper()}, not UTF-8" in str(caught.value)
    assert f"iconv -f {encoding} -t utf-8 {name}" in caught.value.remedy


@pytest.mark.parametrize(
    ("content", "problem", "remedy"),
    [
        (
            '{"id": "1", "text": "café à Genève"}\n'.encode("latin-1"),
            "it looks like latin-1",
            "iconv -f windows-1252",
        ),
        ('{"id": "1", "text": "東京タワーの写真"}\n'.encode("shift-jis"), "an older encoding", "shift-jis"),
        (
            POSTS.encode() * 9 + b'{"id": "3", "text": "\xe6\x9d"}\n',
            r"jsonl:19: .*the rest is UTF-8",
            "Mend the line",
        ),
        (gzip.compress(POSTS.encode(), mtime=0), "is packed with gzip", "gunzip train.jsonl"),
        (b"PK\x03\x04" + bytes(99), "is a zip archive", "unzip"),
    ],
)
def test_other_encodings_and_packed_files_are_named(
    load, write, content: bytes, problem: str, remedy: str
) -> None:
    write("train.jsonl", content)

    with pytest.raises(DataError, match=problem) as caught:
        load(format="jsonl")

    assert remedy in caught.value.remedy


def test_a_companion_in_wide_unicode_is_named_too(load, write) -> None:
    write("train.jsonl", [build_row(1)])
    write("captions.jsonl", '{"id": "1", "caption": "a cat"}'.encode("utf-16"))

    with pytest.raises(DataError, match=r"captions\.jsonl: the text is UTF-16"):
        load(captions="captions.jsonl")


def test_a_mark_of_utf8_is_no_part_of_the_first_line(load, write) -> None:
    write("train.txt", b"\xef\xbb\xbf" + BLOCKS.encode())

    assert load().posts["train"][0].tokens == ("Zoë", "東京")
