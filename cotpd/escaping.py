"""Make untrusted text harmless for a terminal, a page of HTML or a spreadsheet.

Text of a data set, a model or a server is escaped where it is written out, not where it is read: a new command
that prints with :class:`SafeConsole` or :func:`cotpd.cli.output.show` cannot forget it.
"""

import csv
import html
import json
import logging
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cotpd.passwords import hide_passwords

T = TypeVar("T")
MARK = "\N{REPLACEMENT CHARACTER}"
# DEL, C1, line separators and changes of direction: JSON may hold them unescaped, and a terminal obeys them
UNESCAPED = re.compile(r"[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f]")
_CONTROLS = re.compile(rf"[\x00-\x08\x0b-\x1f]|{UNESCAPED.pattern}")  # and C0 without tab and newline
# ASCII signs that may be markup; a dash or a number at the start makes a list, a dot behind www a link. A colon in
# a word makes a link or a picture of its name; other colons stay, since MLflow's page shows their backslash.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]#+!~=|$]|^-|^:|:(?=\S)|(?<=www)\.", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# what ends a script element or opens a comment, and half of a surrogate pair, which UTF-8 cannot write
_MARKUP_IN_JSON = re.compile(r"[<>&\ud800-\udfff]")
_COMPUTED = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")  # a spreadsheet takes such a cell for a formula
_SPACE = " \t\r\n\u00a0\u3000\ufeff"  # spreadsheets skip it before they look for a formula


class SafeConsole(Console):
    """A console that prints text as it stands: no markup, no emoji codes, no control characters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"highlight": False} | options | {"markup": False, "emoji": False}))

    def render_str(self, text: str, **options: Any) -> Text:
        """Mark control characters before a table measures the text, or its columns would come out too narrow."""
        return super().render_str(make_printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Mark control characters in everything that is printed; rich adds its own codes later, as styles."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=make_printable(segment.text))


def make_printable(value: T) -> T:
    """Return a value with a mark in place of each control character in its strings; offsets still hold.

    Args:
        value: A string, or a list, dict or dataclass of such values; anything else comes back as it is.
    """
    marked: T = _mark_controls(value)
    return marked


def _mark_controls(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROLS.sub(MARK, value)
    if isinstance(value, list):
        return [_mark_controls(item) for item in value]
    if isinstance(value, dict):
        return {_mark_controls(key): _mark_controls(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{field.name: _mark_controls(getattr(value, field.name)) for field in fields(value)}
        )
    return value


def warn(text: str) -> None:
    """Print a text to standard error, control characters marked and passwords in addresses hidden."""
    sys.stderr.write(hide_passwords(make_printable(text)) + "\n")
    sys.stderr.flush()


def make_printable_line(text: str) -> str:
    """Return a text on one line, control characters marked, so that a name cannot pass for a line of its own."""
    return make_printable(text.replace("\n", MARK).replace("\t", MARK))


class _SafeFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return hide_passwords(make_printable(super().format(record)))


def mark_logs() -> None:
    """Mark control characters, and hide passwords, in warnings that Python prints without a handler."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_SafeFormatter())


def escape_html(value: Any) -> Any:
    """Return a JSON value whose strings and keys are plain text in HTML, in attributes and in `$` templates."""
    if isinstance(value, str):
        return html.escape(make_printable(value)).replace("$", "&#36;").replace("`", "&#96;")
    if isinstance(value, dict):
        return {escape_html(key): escape_html(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [escape_html(item) for item in value]
    return value


def embed_json(value: Any) -> str:
    """Return a value as JSON that a script element of a page can hold: nothing in it ends the element.

    Control characters in its strings are marked; offsets still hold. The page must put its strings in as text.

    Raises:
        TypeError: The value is not one of JSON.
    """
    # tuples become lists, in which strings are marked; the NaN of a training that diverged is no JSON
    plain = json.loads(json.dumps(value), parse_constant=lambda _: None)
    text = json.dumps(make_printable(plain), ensure_ascii=False, separators=(",", ":"))
    return _MARKUP_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def escape_markdown(text: str) -> str:
    """Return a text that Markdown shows as it stands, on one line: no markup, no HTML, no link, no list.

    MLflow's page takes a backslash before certain signs only, and Prefect's shows most entities as they are
    written: signs of HTML become entities, which both read, and the others get a backslash.
    """
    line = make_printable_line(text).strip()
    escaped = "".join(_ENTITIES.get(sign, sign) for sign in _MARKDOWN.sub(r"\\\g<0>", line))
    return _NUMBERED.sub(r"\1\\\2", escaped)


def escape_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet computes: a formula gets an apostrophe in front, numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = _CONTROLS.sub(MARK, value)
    return f"'{text}" if value.startswith(_COMPUTED) or text.lstrip(_SPACE).startswith(_COMPUTED) else text


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV, each cell escaped with :func:`escape_cell`."""
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(map(escape_cell, row) for row in rows)
