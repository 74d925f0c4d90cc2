"""Printing posts and answers, which are untrusted, to an output that may know few characters.

A control character of a post never reaches the terminal as such, for it could move the cursor, rename the window,
rewrite lines above it or turn the direction of the text behind it. A character that the output's encoding cannot
hold does not end the command.
"""

import io
import json
import sys
from collections.abc import Mapping
from typing import Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from cotpd.errors import DataError
from cotpd.escaping import UNESCAPED, SafeConsole, make_printable, warn

__all__ = ["build_console", "format_json", "format_json_line", "make_printable", "show", "show_row", "warn"]


def show_row(row: Mapping[str, Any], where: str) -> None:
    """Print a row as one line of JSON, at once: a reader in a pipe may wait for it.

    Args:
        row: The values to write.
        where: Where the row came from, ``file:line``, for messages.

    Raises:
        DataError: It is nested too deeply to be written.
    """
    typer.echo(format_json_line(row, where))


def format_json_line(row: Mapping[str, Any], where: str, encoding: str | None = None) -> str:
    """Format a row as JSON, in ASCII if the output cannot hold it otherwise (half of a surrogate pair).

    Args:
        row: The values to write.
        where: Where the row came from, ``file:line``, for messages.
        encoding: The output's; None takes standard output's.

    Raises:
        DataError: It is nested too deeply to be written.
    """
    try:
        return format_json(row, encoding=encoding)
    except RecursionError:
        raise DataError(f"{where}: brackets nested too deeply", "Leave out what is not needed.") from None


def format_json(value: Any, *, encoding: str | None = None, indent: int | None = None) -> str:
    """Format a value as JSON without a character that a terminal obeys, in ASCII if the output needs it."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(encoding or sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    return UNESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def build_console(width: int = 0) -> SafeConsole:
    """Build a console on standard output, which prints a question mark for a character that it cannot hold.

    Args:
        width: The least number of columns, for tables of figures: wrapped ones cannot be read.
    """
    _replace_unencodable()
    console = SafeConsole()
    console.width = max(console.width, width)
    return console


def measure_table(console: Console, table: Table) -> int:
    """Return the columns that a table needs, however wide the console is."""
    unbounded = console.options.update(max_width=10_000)  # or rich measures the table as it would be cut
    return Measurement.get(console, unbounded, table).maximum


def show(text: str, *, end: str = "\n", **style: Any) -> None:
    """Print a text, control characters marked, with a style of typer.secho."""
    _replace_unencodable()
    typer.secho(make_printable(text) + end, nl=False, **style)


def _replace_unencodable() -> None:
    """Have standard output write a question mark where its encoding would raise an error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
