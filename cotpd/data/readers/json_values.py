"""The rows of a JSON file that is one list, or has a row on each line, read a few at a time: memory stays flat.

Trade-off: Python's decoder on a window of the text, and no streaming library, because a refused row needs its line
and a key given twice has to be seen. A row must fit into memory; the file need not.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cotpd.data.readers.text_files import iterate_text, read_numbered_lines
from cotpd.data.readers.values import RowError, build_object, explain_json_error, parse_json
from cotpd.errors import DataError

_SPACE = re.compile(r"[ \t\r\n]*")
_SEPARATOR = re.compile(r"[ \t\r\n]*,?[ \t\r\n]*")
_UNFINISHED = 1 << 28  # characters of one row, beyond which it is not read further
_OPENS_LIST = re.compile(r"\s*\[\s*([\[{\]]|$)")
_OPENS_LONG_OBJECT = re.compile(r'\s*\{[ \t\r]*\n\s*"')  # over several lines, as jq writes it


class RawRow(NamedTuple):
    """A row of a file, its values not checked yet; ``fault`` says why it could not be parsed, or is empty.

    ``item`` is its number in a list where the row before it, or the list's bracket, stands on its line; otherwise
    it is 0, as the line tells the row.
    """

    line: int
    value: Any
    fault: str = ""
    item: int = 0


class Window:
    """A part of a file's text that moves forward; positions and lines are those of its beginning.

    Args:
        path: The file.
        name: Its name in messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._chunks = iterate_text(path, name)
        self.text, self.line, self.is_complete = "", 1, False
        self.read_more()

    def read_more(self) -> None:
        """Add a piece at the end, as long as the window itself, so that a long row is not decoded too often."""
        pieces, size = [self.text], 0
        while size <= len(self.text) and not self.is_complete:
            chunk = next(self._chunks, None)
            self.is_complete = chunk is None
            pieces.append(chunk or "")
            size += len(chunk or "")
        self.text = "".join(pieces)

    def advance(self, position: int) -> None:
        """Drop what stands before a position."""
        self.line += self.text.count("\n", 0, position)
        self.text = self.text[position:]

    def skip_space(self) -> str:
        """Drop white space, and return the sign behind it; the end of the file is an empty one."""
        while True:
            match = _SPACE.match(self.text)
            self.advance(match.end() if match else 0)
            if self.text or self.is_complete:
                return self.text[:1]
            self.read_more()


def iterate_json_rows(path: Path, name: str) -> Iterator[RawRow]:
    """Yield the rows of a file that is one list, has a row on each line, or has objects over several lines each.

    Raises:
        DataError: It cannot be read, the list or an object over several lines has a syntax error, behind which no
            row can be read, or text stands behind the list.
    """
    window = Window(path, name)
    window.skip_space()
    if _OPENS_LIST.match(window.text):
        yield from _iterate_list(window, name)
    elif _OPENS_LONG_OBJECT.match(window.text):
        yield from _iterate_objects(window, name)
    else:
        yield from _iterate_lines(path, name)


def _iterate_lines(path: Path, name: str) -> Iterator[RawRow]:
    for number, line in read_numbered_lines(path, name):
        if not line.strip():
            continue
        try:
            yield RawRow(number, parse_json(line))
        except RowError as error:
            yield RawRow(number, line, error.reason)


def _iterate_objects(window: Window, name: str) -> Iterator[RawRow]:
    decoder = json.JSONDecoder(object_pairs_hook=build_object)
    while window.skip_space():
        yield _decode_row(window, decoder, name)


def _iterate_list(window: Window, name: str) -> Iterator[RawRow]:
    decoder = json.JSONDecoder(object_pairs_hook=build_object)
    window.advance(1)
    number, line_before = 0, window.line
    while window.skip_space() != "]":
        row, number = _decode_row(window, decoder, name), number + 1
        yield row._replace(item=number) if row.line == line_before else row
        line_before = window.line
        sign = window.skip_space()
        if sign not in (",", "]"):
            raise DataError(f"{name}:{window.line}: the list of rows breaks off", "Is the file complete?")
        if sign == ",":
            window.advance(1)
    window.advance(1)
    _refuse_second_list(window, name)


def _decode_row(window: Window, decoder: json.JSONDecoder, name: str) -> RawRow:
    """Decode the row at the window's beginning; a row that does not end in the window needs more of the file."""
    while True:
        try:
            value, end = decoder.raw_decode(window.text)
        except (ValueError, RecursionError) as error:
            if not window.is_complete and len(window.text) < _UNFINISHED and _may_continue(error, window.text):
                window.read_more()
                continue
            line = window.line + (error.lineno - 1 if isinstance(error, json.JSONDecodeError) else 0)
            detail = error.reason if isinstance(error, RowError) else explain_json_error(error)
            raise DataError(f"{name}:{line}: not JSON: {detail}", "Mend the file there.") from None
        if end == len(window.text) and not window.is_complete:
            window.read_more()  # a number may go on
            continue
        row = RawRow(window.line, value)
        window.advance(end)
        return row


def _may_continue(error: Exception, text: str) -> bool:
    """Whether the text behind the window may mend an error: it then stands near the end, or in an open string."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.pos >= len(text) - 16 or error.msg.startswith("Unterminated string")


def _refuse_second_list(window: Window, name: str) -> None:
    """Refuse text behind the list: of two files put together, the second would be lost."""
    sign = window.skip_space()
    if sign:
        second = "a second list begins" if sign == "[" else f"{window.text[:20]!r} stands"
        raise DataError(
            f"{name}:{window.line}: {second} behind the end of the list",
            "Write one list: put a comma in place of the brackets between the two.",
        )


def parse_head(head: list[str], at_most: int = 50) -> list[Any]:
    """Parse the rows that the first lines of a file hold whole; what cannot be parsed is left out.

    Args:
        head: The lines; the last one may be cut.
        at_most: So many rows.
    """
    text = "\n".join(head).lstrip()
    if _OPENS_LIST.match(text):
        return _parse_values(text, text.index("[") + 1, at_most)
    if _OPENS_LONG_OBJECT.match(text):
        return _parse_values(text, 0, at_most)
    rows = []
    for line in head[: 4 * at_most]:
        if line.lstrip()[:1] in ("{", "["):
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError):
                continue
    return rows[:at_most]


def _parse_values(text: str, position: int, at_most: int) -> list[Any]:
    """Parse the values behind a position, with commas between them or without."""
    decoder = json.JSONDecoder()
    rows: list[Any] = []
    while len(rows) < at_most:
        match = _SEPARATOR.match(text, position)
        try:
            value, position = decoder.raw_decode(text, match.end() if match else position)
        except (ValueError, RecursionError):
            break
        rows.append(value)
    return rows
