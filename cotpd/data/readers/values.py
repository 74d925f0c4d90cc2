"""Strict reading of a row's values: a value that Python would quietly convert or drop is refused with a reason.

A float is no id (1.7e18 has lost digits), a fraction is no offset, and of two equal keys the first would be lost.
"""

import ast
import json
import warnings
from typing import Any, TypeGuard

MOST_DIGITS = 18  # of an offset; no text is that long


class RowError(ValueError):
    """One row cannot be read.

    Args:
        reason: The fault.
        remedy: The change that would mend the row.
        notice: The name under which the reader counts such rows, if it does.
    """

    def __init__(self, reason: str, remedy: str = "", notice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.notice = notice


def make_writable(text: str) -> str:
    """Turn lone surrogates, which JSON can spell but no file can hold, into question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def parse_json(line: str) -> Any:
    """Parse one JSON value.

    Raises:
        RowError: It is not JSON, is nested too deeply, or gives a key twice.
    """
    try:
        return json.loads(line, object_pairs_hook=build_object)
    except RowError:
        raise
    except (ValueError, RecursionError) as error:
        raise RowError(f"not JSON: {explain_json_error(error)}", "Mend the line.") from None


def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object of its keys and values.

    Raises:
        RowError: A key is given twice; json.loads would take the last and lose the first.
    """
    built = dict(pairs)
    if len(built) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in built if keys.count(key) > 1)
        raise RowError(f"the key {twice!r} is given twice", "Keep one of the two.")
    return built


def explain_json_error(error: Exception) -> str:
    """Explain why json.loads refused a text."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    return "brackets nested too deeply" if isinstance(error, RecursionError) else "a number with too many digits"


def parse_literal(line: str) -> Any:
    """Parse a Python literal; no code in it is ever run.

    Raises:
        RowError: The text is not a literal.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # an odd escape in a tweet is no news
            return ast.literal_eval(line)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        detail = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise RowError(f"not a Python literal: {detail}", "Each line is one dict, as Python prints it.") from None


def read_id(value: Any, name: str = "id") -> str:
    """Read an id: a string that is not blank, or a whole number.

    Raises:
        RowError: It is missing, a float, a truth value or another kind of value.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        raise RowError(f"missing: {name}", "Give each post an id of its own: every table is keyed by it.")
    if isinstance(value, float):
        raise RowError(f"the {name} {value!r} is a float", 'Write it as a string ("17"): floats lose digits.')
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RowError(f"the {name} {show_value(value)} is no name", 'Write a string ("17") or a whole number.')
    if isinstance(value, int) and abs(value) >= 10**MOST_DIGITS**2:
        raise RowError(f"the {name} is a number of too many digits", "Write it as a string.")
    return str(value)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number; True and False are not, although Python counts them as 1 and 0."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_whole(value: Any, name: str) -> int:
    """Read a whole number; some releases write it as a string.

    Raises:
        RowError: It is missing, a fraction or anything else.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS:
        return int(value)
    if not is_whole(value) or abs(value) >= 10**MOST_DIGITS:
        raise RowError(f"{name} is {show_value(value)}, not a whole number", "Count in whole numbers, from 0.")
    return value


def show_value(value: Any, at_most: int = 60) -> str:
    """Show a value of a row in a message, cut short; Python prints no number of 5,000 digits."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):
        return f"a value that cannot be shown ({type(value).__name__})"
    return shown if len(shown) <= at_most else shown[:at_most] + "..."
