"""Posts as a user hands them over: arguments, a file of lines or of JSON Lines, or standard input.

Trade-off: a file's name says how it is written, and of a nameless stream its first line, for all that follow: a
post that happens to look like JSON stays a post. `--jsonl` and `--plain` settle it where neither is right.
"""

import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any, NamedTuple

from cotpd.errors import ConfigError, DataError

Row = dict[str, Any]
JSON_NAMES = (".jsonl", ".json")
AS_OBJECTS = 'Write {"text": "..."} on each line, or say --plain if the lines are posts themselves.'
UTF16 = ("UTF-16, not UTF-8", "Convert it: iconv -f UTF-16 -t UTF-8.")
PACKED = ("compressed with gzip", "Give it a name that ends in .gz, or unpack it first: gunzip.")
MAGIC = (("\udcff\udcfe", UTF16), ("\udcfe\udcff", UTF16), ("\x1f\udc8b", PACKED))
"""The first bytes, as undecodable ones are read; what they tell, and what to do."""


class Given(NamedTuple):
    """A row with text, and head and tail where there are any; and where it stood: ``file:line``, for messages."""

    row: Row
    where: str


def read_posts(
    texts: Sequence[str],
    file: str | None,
    head: str | None = None,
    tail: str | None = None,
    is_json: bool | None = None,
) -> Iterator[Given]:
    """Rows in their order, read as they are asked for.

    Args:
        texts: Posts themselves; none if there is a file.
        file: A file of posts, ``-`` for standard input; ``.gz`` is unpacked.
        head: The first mention, for the rows that name none.
        tail: The second mention, likewise.
        is_json: Whether lines are JSON objects; None asks the file's name, or the first line of standard input.

    Raises:
        ConfigError: There are no posts, or both posts and a file.
        DataError: While reading: the file cannot be read, or a line is not what it should be; the message names
            file and line.
    """
    if not texts and file is None:
        raise ConfigError("no posts were given", "Give them as arguments, or name a file of them with --file.")
    if texts and file is not None:
        raise ConfigError("posts were given as arguments and with --file", "Give one of the two, not both.")
    if file is None and is_json is not None:
        raise ConfigError("--jsonl and --plain say how a file is read, and there is none", "Add --file.")
    pair = {name: mention for name, mention in (("head", head), ("tail", tail)) if mention is not None}
    if file is None:
        return (Given({"text": text, **pair}, f"row {number}") for number, text in enumerate(texts, 1))
    return (Given({**pair, **one.row}, one.where) for one in _read(file, is_json))


def parse(lines: Iterable[str], name: str, is_json: bool | None) -> Iterator[Given]:
    """Rows of lines that were decoded with ``surrogateescape``; blank ones are passed over.

    Raises:
        DataError: As for :func:`read_posts`.
    """
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}"
        if number == 1:
            _require_text(line, name)
            line = line.removeprefix("\ufeff")
        wrong = next((ord(character) - 0xDC00 for character in line if "\udc80" <= character <= "\udcff"), None)
        if wrong is not None:
            raise DataError(f"{where}: not UTF-8: byte 0x{wrong:02x}", "Convert the file to UTF-8.")
        if not line.strip():
            continue
        if is_json is None:
            is_json = _is_row(line)
        yield Given(_object(line, where) if is_json else {"text": line.strip()}, where)


def _read(file: str, is_json: bool | None) -> Iterator[Given]:
    name = "standard input" if file == "-" else file
    if is_json is None and file != "-":
        is_json = file.lower().removesuffix(".gz").endswith(JSON_NAMES)
    try:
        with nullcontext(_standard_input()) if file == "-" else _opened(Path(file)) as lines:
            yield from parse(lines, name, is_json)
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file", "Name a text file, one post a line.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name}: damaged: {error}", "Compress it again.") from None
    except OSError as error:
        raise DataError(f"{name}: {error.strerror}", "Name a text file, one post a line.") from None


def _opened(file: Path) -> IO[str]:
    if file.suffix.lower() == ".gz":
        return gzip.open(file, "rt", encoding="utf-8", errors="surrogateescape")
    return file.open(encoding="utf-8", errors="surrogateescape")


def _standard_input() -> IO[str]:
    if sys.stdin is None:
        raise DataError("standard input is closed", "Pipe posts into it, or name a file.")
    if isinstance(sys.stdin, io.TextIOWrapper):  # whatever the locale says, as files are
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    return sys.stdin


def _require_text(line: str, name: str) -> None:
    for magic, (what, remedy) in MAGIC:
        if line.startswith(magic):
            raise DataError(f"{name}: {what}", remedy)


def _is_row(line: str) -> bool:
    """Whether a line is a JSON object with text; one that is too deep or too long for Python is meant as one."""
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return False
    except (RecursionError, ValueError):
        return line.lstrip().startswith("{")
    return isinstance(found, dict) and "text" in found


def _object(line: str, where: str) -> Row:
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
    if not isinstance(row.get("text"), str):
        raise DataError(f"{where}: no text, or not a string", AS_OBJECTS)
    return row
