"""What commands print of posts and answers: those are untrusted, and an output may know few characters.

A control character of a post never reaches the terminal as such, for it could move the cursor, rename the window,
rewrite what stands above or turn the direction of what follows; and what the output's encoding cannot hold does
not end the command.
"""

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import typer

from cotpd.errors import DataError
from cotpd.escaping import UNESCAPED, SafeConsole, make_printable, warn

__all__ = ["console", "json_line", "json_text", "make_printable", "show", "warn"]


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
        return json_text(row, encoding=encoding)
    except RecursionError:
        raise DataError(f"{where}: brackets nested too deeply", "Leave out what is not needed.") from None


def json_text(value: Any, *, encoding: str | None = None, indent: int | None = None) -> str:
    """A value as JSON without a character that a terminal obeys, in ASCII where the output needs it."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(encoding or sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    return UNESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def console(width: int = 0) -> SafeConsole:
    """Standard output for people: what it cannot hold becomes a question mark.

    Args:
        width: At least so many columns, for tables of figures, which cannot be read when they are wrapped.
    """
    _be_lenient()
    out = SafeConsole()
    out.width = max(out.width, width)
    return out


def show(text: str, *, end: str = "\n", **style: Any) -> None:
    """Print for people, as :func:`make_printable` and :func:`console` have it; styles are those of typer.secho."""
    _be_lenient()
    typer.secho(make_printable(text) + end, nl=False, **style)


def _be_lenient() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
