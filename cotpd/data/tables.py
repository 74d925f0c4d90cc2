"""Tables on disk: one JSON record a line, written whole or not at all."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cotpd.errors import DataError, find_remedy_in_project
from cotpd.files import write_atomically

R = TypeVar("R", bound=BaseModel)


def write_table(path: Path | str, rows: Iterable[BaseModel]) -> int:
    """Write records as JSON Lines; a killed run leaves the old table or the new one.

    Returns:
        The number of rows written.

    Raises:
        StorageError: The disk is full.
    """
    count = 0
    with write_atomically(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for row in rows:
            out.write(row.model_dump_json(exclude_defaults=True) + "\n")
            count += 1
    return count


def read_table(path: Path | str, record: type[R]) -> list[R]:
    """Read a table of one record type.

    Raises:
        DataError: The file is missing, or a line is not such a record; the message names file and line.
    """
    return list(iterate_table(path, record))


def iterate_table(path: Path | str, record: type[R]) -> Iterator[R]:
    """Read a table of one record type row by row, as :func:`read_table` does at once."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such table", "Run the step that writes it: dvc repro")
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:  # a bad byte then fails in its own line
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                yield record.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise DataError(
                    f"{path}:{number}: not a {record.__name__}: {where}: {first['msg']}",
                    "The table was edited or is of another version: run the step that writes it again.",
                ) from None


def read_json(path: Path | str, *keys: str) -> dict[str, Any]:
    """Read a JSON object that a step wrote.

    Args:
        path: The file.
        keys: Keys that it must have, ``a.b`` for b inside a.

    Raises:
        DataError: The file is missing, holds no JSON object, or lacks a key.
    """
    path = Path(path)
    remedy = "It was edited, or is of another version: run the step that writes it again (dvc repro)."
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        remedy = find_remedy_in_project("Run the step that writes it: dvc repro")
        raise DataError(f"{path}: there is no such file", remedy) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {error}", remedy) from None
    if not isinstance(value, dict):
        raise DataError(f"{path}: holds no JSON object", remedy)
    for key in keys:
        if _find_value(value, key) is None:
            raise DataError(f"{path}: has no {key}", remedy)
    return value


def _find_value(value: Any, key: str) -> Any:
    """Return the value under a dotted key; None if there is none."""
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def write_json(path: Path | str, value: object) -> None:
    """Write a JSON file with sorted keys; a killed run leaves the old file or the new one.

    Raises:
        StorageError: The disk is full.
    """
    with write_atomically(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
