"""Posts from the command line: arguments, a file of lines or of JSON Lines, or standard input.

Trade-off: a file's name decides whether its lines are JSON, and the first line of standard input decides for all
lines behind it. A post that looks like JSON therefore stays a post; `--jsonl` and `--plain` overrule both.
"""

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

from cotpd.errors import ConfigError, DataError

Row = dict[str, Any]
JSON_NAMES = (".jsonl", ".json")
AS_OBJECTS = (
    'Write {"text": "..."} or {"tokens": [...]} on each line, or say --plain if the lines are posts themselves.'
)
UTF16 = ("UTF-16, not UTF-8", "Convert it: iconv -f UTF-16 -t UTF-8.")
PACKED = ("compressed with gzip", "Give it a name that ends in .gz, or unpack it first: gunzip.")
MAGIC = (("\udcff\udcfe", UTF16), ("\udcfe\udcff", UTF16), ("\x1f\udc8b", PACKED))
"""First bytes, as `surrogateescape` decodes them: the problem and the remedy that they stand for."""
_NO_POSTS = ("no posts were given", "Give them as arguments, name a file of them with --file, or pipe them in.")


class PostRow(NamedTuple):
    """A row, with text or tokens and perhaps head and tail, and its source, ``file:line``, for messages."""

    row: Row
    where: str


def read_posts(
    texts: Sequence[str],
    file: str | None,
    head: str | None = None,
    tail: str | None = None,
    is_json: bool | None = None,
) -> Iterator[PostRow]:
    """Yield rows in their order, each read when it is asked for.

    Args:
        texts: The posts, if there is no file. Without both, posts are read from standard input if it is a pipe.
        file: A file of posts, ``-`` for standard input; ``.gz`` is unpacked.
        head: The first mention, for rows without one.
        tail: The second mention, likewise.
        is_json: Whether lines are JSON objects; None asks the file's name, or the first line of standard input.

    Raises:
        ConfigError: There are no posts, or both posts and a file.
        DataError: While rows are read: the file cannot be read, or a line is no post; the message names file and
            line.
    """
    if not texts and file is None and _is_piped():
        return _require_posts(read_posts([], "-", head, tail, is_json))
    if not texts and file is None:
        raise ConfigError(*_NO_POSTS)
    if texts and file is not None:
        raise ConfigError("posts were given as arguments and with --file", "Give one of the two, not both.")
    if file is None and is_json is not None:
        raise ConfigError("--jsonl and --plain say how a file is read, and there is none", "Add --file.")
    pair = {name: mention for name, mention in (("head", head), ("tail", tail)) if mention is not None}
    if file is None:
        return (PostRow({"text": text, **pair}, f"row {number}") for number, text in enumerate(texts, 1))
    return (PostRow({**pair, **post.row}, post.where) for post in _read_file(file, is_json))


def count_lines(file: str) -> int | None:
    """Count the lines of a file, for a progress bar; None where that would take long, or fail."""
    path = Path(file)
    if not path.is_file() or path.suffix.lower() == ".gz":
        return None
    with path.open("rb") as content:
        return sum(block.count(b"\n") for block in iter(lambda: content.read(1 << 20), b""))


def _is_piped() -> bool:
    """Whether a program or a file stands behind standard input, and no person at a terminal."""
    return sys.stdin is not None and not sys.stdin.isatty()


def _require_posts(posts: Iterator[PostRow]) -> Iterator[PostRow]:
    """Return posts; waits for the first.

    Raises:
        ConfigError: There is none: the standard input of a service or a schedule is empty.
    """
    first = next(posts, None)
    if first is None:
        raise ConfigError(*_NO_POSTS)
    return chain([first], posts)


def parse_lines(lines: Iterable[str], name: str, is_json: bool | None) -> Iterator[PostRow]:
    """Yield the rows of lines that were decoded with ``surrogateescape``, without blank lines.

    Raises:
        DataError: A line is not UTF-8, or no post; the message names file and line.
    """
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if number == 1:
            _require_text(line, name)
            line = line.removeprefix("\ufeff")
        _require_utf8(line, where)
        if not line.strip():
            continue
        if is_json is None:
            is_json = _is_row(line)
        yield PostRow(_parse_row(line, where) if is_json else {"text": line.strip()}, where)


def _read_file(file: str, is_json: bool | None) -> Iterator[PostRow]:
    name = "standard input" if file == "-" else file
    if is_json is None and file != "-":
        is_json = file.lower().removesuffix(".gz").endswith(JSON_NAMES)
    try:
        with nullcontext(open_standard_input()) if file == "-" else _open_file(Path(file)) as lines:
            yield from parse_lines(lines, name, is_json)
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file", "Name a text file, one post a line.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name}: damaged: {error}", "Compress it again.") from None
    except OSError as error:
        raise DataError(f"{name}: {error.strerror}", "Name a text file, one post a line.") from None


def _open_file(file: Path) -> IO[str]:
    if file.suffix.lower() == ".gz":
        return gzip.open(file, "rt", encoding="utf-8", errors="surrogateescape")
    return file.open(encoding="utf-8", errors="surrogateescape")


def open_standard_input() -> IO[str]:
    """Return standard input as UTF-8; a byte that is none becomes half a surrogate pair.

    Raises:
        DataError: It is closed.
    """
    if sys.stdin is None:
        raise DataError("standard input is closed", "Pipe posts into it, or name a file.")
    if isinstance(sys.stdin, io.TextIOWrapper):  # or a locale without UTF-8 would garble what it reads
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    return sys.stdin


def _require_text(line: str, name: str) -> None:
    """Refuse a file whose first bytes are those of UTF-16 or gzip."""
    for magic, (problem, remedy) in MAGIC:
        if line.startswith(magic):
            raise DataError(f"{name}: {problem}", remedy)


def _require_utf8(line: str, where: str) -> None:
    """Refuse a line with a byte that is not UTF-8; `surrogateescape` has decoded it as half a character."""
    escaped = (character for character in line if "\udc80" <= character <= "\udcff")
    if (first := next(escaped, None)) is not None:
        byte = ord(first) - 0xDC00
        raise DataError(f"{where}: not UTF-8: byte 0x{byte:02x}", "Convert the file to UTF-8.")


def _is_row(line: str) -> bool:
    """Whether a line is a JSON object with text, or begins one that is nested too deeply for Python to read."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        return False
    except (RecursionError, ValueError):
        return line.lstrip().startswith("{")
    return isinstance(value, dict) and ("text" in value or isinstance(value.get("tokens"), list))


def _parse_row(line: str, where: str) -> Row:
    """Parse a JSON object with text.

    Raises:
        DataError: It is something else.
    """
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON: {error.msg}", AS_OBJECTS) from None
    except RecursionError:
        raise DataError(f"{where}: brackets nested too deeply", AS_OBJECTS) from None
    except ValueError:  # Python refuses integers of more than 4,300 digits
        raise DataError(f"{where}: a number with too many digits", "Write it as a string.") from None
    if not isinstance(row, dict):
        raise DataError(f"{where}: not a JSON object", AS_OBJECTS)
    if not isinstance(row.get("text"), str) and not isinstance(row.get("tokens"), list):
        raise DataError(f"{where}: no text, or not a string", AS_OBJECTS)
    return row
