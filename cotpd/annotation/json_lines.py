"""Files of JSON that are written whole or not at all: a value a line, or one list."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cotpd.files import write_atomically


def write_lines(rows: Iterable[Any], path: Path) -> int:
    """Write a value a line, and return their number.

    Raises:
        StorageError: The disk is full.
    """
    count = 0
    with write_atomically(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_list(rows: Iterable[Any], path: Path) -> int:
    """Write one list with a value a line, and return their number.

    Raises:
        StorageError: The disk is full.
    """
    count = 0
    with write_atomically(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for piece in format_list(json.dumps(row, ensure_ascii=False) for row in rows):
            out.write(piece)
            count += 1
    return count - 1


def format_list(rows: Iterable[str]) -> Iterator[str]:
    """Yield a list in JSON, piece by piece: each row as soon as there is one, and the end."""
    opening = "[\n"
    for row in rows:
        yield opening + row
        opening = ",\n"
    yield "[]\n" if opening == "[\n" else "\n]\n"
