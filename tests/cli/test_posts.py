"""Posts from files and standard input: what is JSON and what is not, and what is said of a line that is neither."""

import gzip
import io
import json
import sys

import pytest

from cotpd.cli.posts import count_lines, parse_lines, read_posts
from cotpd.errors import ConfigError, DataError

ROWS = ['{"id": 1, "text": "Ada"}', '{ "text": "Acme" }']
BOTH = "\n".join(ROWS) + "\n"


def read_texts(file, **options):
    return [post.row["text"] for post in read_posts([], str(file), **options)]


@pytest.fixture
def piped(monkeypatch):
    def put(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="ascii"))

    return put


@pytest.mark.parametrize("name", ["a.jsonl", "a.JSONL", "a.json", "a.jsonl.gz", "a.JSON.GZ"])
def test_a_name_says_that_lines_are_json(tmp_path, name):
    pack = gzip.compress if name.lower().endswith(".gz") else bytes
    (tmp_path / name).write_bytes(pack(BOTH.encode()))

    assert read_texts(tmp_path / name) == ["Ada", "Acme"]
    assert read_texts(tmp_path / name, is_json=False) == ROWS


def test_in_a_text_file_a_post_that_looks_like_json_is_a_post(tmp_path):
    (tmp_path / "a.txt").write_text('{"text": my first json\n' + BOTH, "utf-8")

    assert read_texts(tmp_path / "a.txt") == ['{"text": my first json', *ROWS]
    (tmp_path / "a.txt").write_text(BOTH, "utf-8")
    assert read_texts(tmp_path / "a.txt", is_json=True) == ["Ada", "Acme"]


def test_the_first_line_of_standard_input_decides_for_all(piped):
    piped(f"\n{BOTH}".encode())

    assert read_texts("-") == ["Ada", "Acme"]
    piped(f"Ada\n{BOTH}".encode())
    assert read_texts("-") == ["Ada", *ROWS]
    piped(f"{BOTH}Ada\n".encode())
    with pytest.raises(DataError, match=r"^standard input:3: not JSON"):
        read_texts("-")
    piped(BOTH.encode())
    assert read_texts("-", is_json=False) == ROWS


@pytest.mark.parametrize("line", ['{"txt": "a"}', "[1]", "5", "{", '{"text": '])
def test_a_first_line_that_is_no_row_is_a_post(piped, line):
    piped(f"{line}\n".encode())

    assert read_texts("-") == [line.strip()]


def test_standard_input_is_utf8_whatever_the_locale_and_its_mark_is_no_character(piped, tmp_path):
    for first in ("Zoë", '{"text": "Zoë"}'):
        piped(b"\xef\xbb\xbf" + first.encode() + b"\r\n")
        assert read_texts("-") == ["Zoë"]
    for name, line in (("a.txt", "Zoë"), ("a.jsonl", '{"text": "Zoë"}')):
        (tmp_path / name).write_text(f"{line}\n", "utf-8-sig")
        assert read_texts(tmp_path / name) == ["Zoë"]


def test_standard_input_may_be_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)

    with pytest.raises(DataError, match="standard input is closed"):
        read_texts("-")


def test_a_pair_of_the_command_line_is_for_rows_that_name_none(piped):
    piped(b'{"text": "a b c", "tail": "c"}\n')

    [post] = read_posts([], "-", head="a", tail="b")

    assert post == ({"text": "a b c", "head": "a", "tail": "c"}, "standard input:1")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": 5}', "no text"),
        ('{"txt": "a"}', "no text"),
        ("[]", "not a JSON object"),
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"text": "a", "n": ' + "1" * 5000 + "}", "too many digits"),
    ],
)
def test_a_bad_line_is_named_by_its_number_blank_ones_counted(line, problem):
    rows = parse_lines(io.StringIO(f'{{"text": "a"}}\n\n{line}\n'), "posts", True)

    assert next(rows).row == {"text": "a"}
    with pytest.raises(DataError, match=rf"^posts:3: .*{problem}"):
        next(rows)


def test_a_first_line_beyond_python_is_refused_and_not_taken_for_a_post():
    deep = json.dumps({"text": "a", "more": 0}).replace("0", "[" * 100_000)

    with pytest.raises(DataError, match=r"^posts:1: .*nested"):
        next(parse_lines([deep], "posts", None))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Ada\nZo\xeb\n", r"a\.txt:2: not UTF-8: byte 0xeb"),
        ("Ada\n".encode("utf-16"), r"a\.txt: UTF-16, not UTF-8\n.*iconv"),
        (b"\xfe\xff\x00A\x00d", r"a\.txt: UTF-16, not UTF-8"),
        (gzip.compress(b"Ada\n", mtime=0), r"a\.txt: compressed with gzip\n.*\.gz"),
    ],
)
def test_bytes_that_are_no_utf8_are_named_for_what_they_are(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)

    with pytest.raises(DataError, match=message):
        read_texts(tmp_path / "a.txt")


def test_packed_files_are_read_and_damaged_ones_named(tmp_path):
    noise = "".join(f"Ada {number} at Acme\n" for number in range(300))
    packed = gzip.compress(noise.encode(), mtime=0)
    middle = len(packed) // 2
    broken = {
        "whole": packed,
        "cut": packed[:middle],
        "spoilt": packed[:40] + bytes(255 - byte for byte in packed[40:middle]) + packed[middle:],
        "plain": noise.encode(),
    }
    for name, content in broken.items():
        (tmp_path / f"{name}.txt.gz").write_bytes(content)

    assert len(read_texts(tmp_path / "whole.txt.gz")) == 300
    for name in ("cut", "spoilt", "plain"):
        with pytest.raises(DataError, match=rf"{name}\.txt\.gz: damaged") as caught:
            read_texts(tmp_path / f"{name}.txt.gz")
        assert caught.value.remedy


def test_a_folder_is_no_file_of_posts(tmp_path):
    with pytest.raises(DataError, match="directory"):
        read_texts(tmp_path)


@pytest.mark.parametrize(
    ("posts", "file", "is_json", "message"),
    [
        (["a"], "b", None, "not both"),
        (["a"], None, True, "say how a file is read"),
    ],
)
def test_what_contradicts_itself_is_refused(posts, file, is_json, message):
    with pytest.raises(ConfigError, match=message):
        read_posts(posts, file, is_json=is_json)


def test_posts_that_are_piped_in_need_no_option(piped):
    piped(BOTH.encode())

    posts = read_posts([], None)

    assert [post.row["text"] for post in posts] == ["Ada", "Acme"]


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_a_pipe_without_a_post_is_an_error_before_a_model_is_loaded(piped, content):
    piped(content)

    with pytest.raises(ConfigError, match="no posts were given"):
        read_posts([], None)


def test_a_person_at_a_terminal_who_gives_no_post_is_not_left_waiting(monkeypatch):
    terminal = io.StringIO("")
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdin", terminal)

    with pytest.raises(ConfigError, match="pipe them in"):
        read_posts([], None)


@pytest.mark.parametrize(("name", "content", "count"), [("a.txt", b"a\nb\n", 2), ("a.txt.gz", b"", None)])
def test_lines_are_counted_for_the_progress_bar_where_that_is_quick(tmp_path, name, content, count):
    (tmp_path / name).write_bytes(content)

    assert count_lines(str(tmp_path / name)) == count
    assert count_lines(str(tmp_path / "nowhere")) is None
