"""The rows of a JSON file turned into posts: the loop that the readers of JSON share."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from cotpd.data.readers.file_format import Rows, Source, build_or_refuse, refuse_row
from cotpd.data.readers.json_shapes import name_row_format
from cotpd.data.readers.json_values import RawRow
from cotpd.data.readers.values import RowError, show_value
from cotpd.data.records import Post

BuildPost = Callable[[Source, Any, int, int], Post]


def read_rows(
    source: Source, name: str, rows: Iterable[tuple[int, RawRow]], build: BuildPost, remedy: str
) -> Rows:
    """Yield a post, or the row of quarantine, for each row of a file.

    Args:
        source: The file.
        name: The name of its format.
        rows: Each with its number in the file, from 1.
        build: Builds the post of a source, a row, its number and its line.
        remedy: What mends a row that cannot be parsed.
    """
    for number, row in rows:
        if row.fault:
            yield refuse_row(source, row.line, row.value, RowError(row.fault, remedy), item=row.item)
        else:
            build_row = partial(_build_row, source, name, row, number, build)
            yield build_or_refuse(source, row.line, row.value, build_row, show_id(row.value), row.item)


def _build_row(source: Source, name: str, row: RawRow, number: int, build: BuildPost) -> Post:
    """Build the post of a row, unless it is of another format: its annotation stands under keys that go unread."""
    written_in = name_row_format(row.value)
    if written_in not in ("", name):
        raise RowError(
            f"the row is one of {written_in}, in a file of {name}",
            "Give the rows of each format a file of their own, or name the format of this one in data.format.",
        )
    return build(source, row.value, number, row.line)


def show_id(row: Any) -> str:
    """Return the id of a row for messages; it is empty if the row has none, or is no object."""
    value = row.get("id") if isinstance(row, dict) else None
    if value is None:
        return ""
    return value if isinstance(value, str) else show_value(value)
