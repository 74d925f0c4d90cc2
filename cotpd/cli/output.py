"""What commands print of posts and answers: those are untrusted, and an output may know few characters.

A control character of a post never reaches the terminal as such, for it could move the cursor, rename the window,
rewrite what stands above or turn the direction of what follows; and what the output's encoding cannot hold does
not end the command.
"""

import io
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from cotpd.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")
MARK = "\N{REPLACEMENT CHARACTER}"
# C1 and changes of direction, which JSON may hold as they are
_UNESCAPED = re.compile(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_CONTROLS = re.compile(rf"[\x00-\x08\x0b-\x1f]|{_UNESCAPED.pattern}")  # and C0 without tab and newline


def json_line(row: Mapping[str, Any], where: str, encoding: str | None = None) -> str:
    """A row as JSON, in ASCII where the output cannot hold it otherwise, such as half of a surrogate pair.

    Args:
        row: What to write.
        where: Where it came from, for messages.
        encoding: Of the output; None asks standard output.

    Raises:
        DataError: It is nested too deeply to be written.
    """
    try:
        line = json.dumps(row, ensure_ascii=False)
        try:
            line.encode(encoding or sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            line = json.dumps(row)
    except RecursionError:
        raise DataError(f"{where}: brackets nested too deeply", "Leave out what is not needed.") from None
    return _UNESCAPED.sub(lambda found: f"\\u{ord(found.group()):04x}", line)


def console() -> "Console":
    """Standard output for people: what it cannot hold becomes a question mark."""
    from rich.console import Console

    _be_lenient()
    return Console(highlight=False)


def show(text: str) -> None:
    """Print what others wrote for people, as :func:`printable` and :func:`console` have it."""
    _be_lenient()
    typer.echo(printable(text))


def _be_lenient() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def printable(value: T) -> T:
    """The same with a mark for each control character in its strings, dataclasses included; offsets still hold."""
    return _printable(value)


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROLS.sub(MARK, value)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(one) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _printable(getattr(value, field.name)) for field in fields(value)})
    return value
