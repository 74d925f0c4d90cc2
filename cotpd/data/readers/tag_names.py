"""The names that numbers in place of tags stand for: a file beside the data, or that of `data.tag_names`."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cotpd.counts import format_count
from cotpd.data.params import DataParams
from cotpd.data.readers.file_format import ReadOptions
from cotpd.data.readers.text_files import read_text
from cotpd.data.readers.values import RowError, parse_json, show_value
from cotpd.errors import DataError

USUAL_FILES = (
    "labels.txt",
    "label_names.txt",
    "tag_names.txt",
    "labels.json",
    "id2label.json",
    "dataset_info.json",
)
_NUMBERED = re.compile(r"(?P<number>\d{1,9})[\s:,=]+(?P<name>\S.*)", re.ASCII)
_NUMBERED_BEHIND = re.compile(r"(?P<name>\S.*?)[\s:,=]+(?P<number>\d{1,9})", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)  # Python reads no number of 5,000 digits
_REMEDY = "Write one name a line, the first for 0, or a JSON list of them."


def read_options(params: DataParams, folder: Path) -> ReadOptions:
    """Return how the annotation of a data set is read.

    Raises:
        DataError: The file of names is missing or holds none.
    """
    return ReadOptions(
        offsets=params.offsets,
        tag_column=params.tag_column,
        tag_names=_find_names(params.tag_names, folder),
        annotators=params.annotators,
        nested=params.nested,
    )


class FaultyNames(tuple[str, ...]):
    """No names, since the file beside the data that should hold them cannot be read; a fault if one is needed."""

    fault: DataError


def _find_names(name: str | None, folder: Path) -> tuple[str, ...] | None:
    """Read the file of names that the parameter names, or a usual one; None if there is none."""
    if name is not None:
        path = folder / name
        if not path.is_file():
            raise DataError(f"{path}: there is no such file of tag names", "Mend data.tag_names.")
        return read_tag_names(path)
    path = next((folder / usual for usual in USUAL_FILES if (folder / usual).is_file()), folder)
    if path is folder:
        return None
    try:
        return read_tag_names(path)
    except DataError as error:
        names = FaultyNames()
        names.fault = error
        return names


def read_tag_names(path: Path) -> tuple[str, ...]:
    """Read names of tags: a line each (with its number before or behind it, or none), or JSON.

    Raises:
        DataError: The file holds no names.
    """
    text = read_text(path, path.name).strip()
    try:
        names = _read_json(text) if text[:1] in ("{", "[") else _read_lines(text)
        if not names:
            raise RowError("holds no names of tags")
        _refuse_repeated(names)
    except RowError as error:
        raise DataError(f"{path}: {error.reason}", error.remedy or _REMEDY) from None
    return tuple(names)


def _read_json(text: str) -> list[str] | None:
    """Read names from JSON.

    Raises:
        RowError: It is not JSON, or a number has no name.
    """
    value = parse_json(text)
    if isinstance(value, dict) and value and all(map(_NUMBER.fullmatch, value)):
        _refuse_gaps(set(map(int, value)))
    return find_names(value)


def _read_lines(text: str) -> list[str] | None:
    """Read a name a line; where each line has its number before or behind the name, in the order of these.

    Raises:
        RowError: A line is empty, which may be a name that got lost, or a number is missing or given twice.
    """
    lines = [line.strip() for line in text.split("\n")]
    if "" in lines:
        raise RowError(f"line {lines.index('') + 1} is empty, so the numbers of the names behind it are in doubt")
    matches = [_NUMBERED.fullmatch(line) or _NUMBERED_BEHIND.fullmatch(line) for line in lines]
    names = {int(match["number"]): match["name"] for match in matches if match}
    if None in matches:
        return lines
    _refuse_gaps(set(names))
    return _order(names) if len(names) == len(lines) else None


def _refuse_gaps(numbers: set[int]) -> None:
    missing = next(number for number in range(len(numbers) + 1) if number not in numbers)
    if missing < max(numbers):
        raise RowError(f"the number {missing} has no name", "Name each number, from 0 on.")


def _refuse_repeated(names: Sequence[str]) -> None:
    """Refuse a name of two numbers: the mistake would put two types into one."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise RowError(f"the name {twice!r} is given twice", "Give each number a name of its own.")


def find_names(value: Any) -> list[str] | None:
    """Find names in JSON: a list, a map from or to numbers, or features of Hugging Face."""
    if isinstance(value, list):
        return value if value and all(isinstance(name, str) for name in value) else None
    if not isinstance(value, dict):
        return None
    if value and all(isinstance(name, str) and _NUMBER.fullmatch(key) for key, name in value.items()):
        return _order({int(key): name for key, name in value.items()})
    if value and all(isinstance(number, int) for number in value.values()):
        return _order({number: name for name, number in value.items()})
    nested = (find_names(inner) for key, inner in value.items() if key not in ("splits", "citation"))
    return next((names for names in nested if names and len(names) > 1), None)


def _order(names: dict[int, str]) -> list[str] | None:
    """Return names in the order of their numbers; None if a number is missing."""
    return [names[number] for number in range(len(names))] if set(names) == set(range(len(names))) else None


def name_tags(tags: Sequence[Any], names: Sequence[str] | None) -> list[str]:
    """Return the tags of a post as names.

    Args:
        tags: Names, or numbers of names.
        names: The names by number.

    Raises:
        RowError: A tag is a number without a name, or neither of the two.
        DataError: Tags are numbers, and the file beside the data that should name them cannot be read.
    """
    if all(isinstance(tag, str) for tag in tags):
        if not tags or not all(map(_NUMBER.fullmatch, tags)):
            return list(tags)
        tags = list(map(int, tags))  # CSV and some JSON write numbers as strings
    numbers = [tag for tag in tags if isinstance(tag, int) and not isinstance(tag, bool)]
    if len(numbers) < len(tags):
        wrong = next(tag for tag in tags if not isinstance(tag, int) or isinstance(tag, bool))
        raise RowError(f"the tag {show_value(wrong)} is neither a name nor a number", "Mend the tags.")
    if isinstance(names, FaultyNames):
        raise names.fault
    if names is None:
        raise RowError(
            "tags are numbers, and nothing says what they mean",
            "Put labels.txt beside the data, one name a line, or name a file in data.tag_names."
            " (Outside is O, the letter.)",
        )
    if not 0 <= min(numbers) <= max(numbers) < len(names):
        wrong = max(numbers) if min(numbers) >= 0 else min(numbers)
        raise RowError(
            f"the tag {wrong} has no name among {format_count(len(names), 'name')}",
            "Add it to the names of tags: labels.txt and its kin, or the file of data.tag_names.",
        )
    return [names[number] for number in numbers]
