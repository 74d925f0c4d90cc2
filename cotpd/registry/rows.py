"""Rows as a user writes them, turned into predictions as a user reads them: characters of the text, never tokens.

Shared by the served model and by `cotpd predict`, so that both accept and say the same.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cotpd.errors import DataError

if TYPE_CHECKING:
    from cotpd.student import Student
    from cotpd.student.examples import Example

Span = tuple[int, int]
Row = Mapping[str, Any]
DIGITS = 4  # of a probability; what lies behind differs between processors


def predict_rows(
    student: "Student", rows: Sequence[Row], *, first: int = 1, batch_size: int = 32
) -> list[dict[str, Any]]:
    """Predict each row, in order.

    Args:
        student: Of either task.
        rows: ``{"text"}`` (ner), or ``{"text", "head", "tail"}``, the mentions as they stand in the text (re).
        first: The number of the first row, for messages.
        batch_size: Rows at a time.

    Returns:
        ``{"entities": [{"start", "end", "text", "type", "score"}]}`` or ``{"label", "score"}`` per row; offsets
        count characters, end exclusive, and a score is a probability. A blank text has no entities.

    Raises:
        DataError: A row lacks a column, or a mention does not stand in its text; the message names the row.
    """
    numbered = list(enumerate(rows, first))
    if student.labels.task == "ner":
        found = student.predict([_column(row, "text", number) for number, row in numbered], batch_size)
        return [{"entities": [_rounded(mention._asdict()) for mention in mentions]} for mentions in found]
    pairs = [_pair(row, number) for number, row in numbered]
    return [_rounded(relation._asdict()) for relation in student.predict_relations(pairs, batch_size)]


def read_example(task: str, row: Row, number: int) -> "Example | None":
    """A row as an example to be labelled; None for a text without a word, where there is nothing to find.

    Raises:
        DataError: As for :func:`predict_rows`.
    """
    from cotpd.student.examples import pair_example, text_example

    return pair_example(*_pair(row, number)) if task == "re" else text_example(_column(row, "text", number))


def _pair(row: Row, number: int) -> tuple[str, Span, Span]:
    """Text, head and tail; where both read the same, the tail is the next occurrence."""
    text = _column(row, "text", number)
    head = _mention(row, "head", text, number, 0)
    same = row["head"] == row.get("tail")
    return text, head, _mention(row, "tail", text, number, head[1] if same else 0)


def _mention(row: Row, name: str, text: str, number: int, start: int) -> Span:
    mention = _column(row, name, number)
    found = text.find(mention, start) if mention.strip() else -1
    if found < 0:
        raise DataError(
            f"row {number}: {name} {mention!r} does not stand in the text",
            "Write it as the text does, case included.",
        )
    return found, found + len(mention)


def _column(row: Row, name: str, number: int) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        problem = "is missing" if value is None else f"is {type(value).__name__}, not text"
        raise DataError(f"row {number}: {name} {problem}", f"Give {name} as a string.")
    return value


def _rounded(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"score": round(found["score"], DIGITS)}
