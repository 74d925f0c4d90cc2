"""Rows as a user writes them, turned into predictions as a user reads them: characters of the text, never tokens.

Shared by the served model and by `cotpd predict`, so that both accept and say the same.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cotpd.errors import DataError

if TYPE_CHECKING:
    from cotpd.student import Student
    from cotpd.student.examples import Example
    from cotpd.student.tasks import TaskName

Span = tuple[int, int]
Row = Mapping[str, Any]
DIGITS = 4  # of a probability; what lies behind differs between processors


class Asked(NamedTuple):
    """A row that was read and found right: its text and, for a relation, its two mentions in characters."""

    text: str
    head: Span | None = None
    tail: Span | None = None


def rows_of(model_input: Any) -> list[Any]:
    """The rows of a request in whatever form MLflow hands it on, each value as the client wrote it.

    A data frame stays one, `inputs` become lists of objects whose values are NumPy arrays, and `instances` become
    columns, in which MLflow has turned numbers among texts into text.

    Raises:
        DataError: There are no rows in it; what is in a row is for :func:`read_row` to say.
    """
    if hasattr(model_input, "to_dict"):  # a data frame without a single column still has its rows
        return [_plain(row) for row in model_input.to_dict("records")] or [{}] * len(model_input)
    rows = _plain(model_input)
    if isinstance(rows, Mapping) and isinstance(rows.get("text"), list):
        columns = {name: values if isinstance(values, list) else [values] for name, values in rows.items()}
        if len(lengths := {len(values) for values in columns.values()}) > 1:
            raise DataError(f"columns of {sorted(lengths)} rows", "Give each row as an object.")
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return rows if isinstance(rows, list) else [rows]


def _plain(value: Any) -> Any:
    """The same without NumPy."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [_plain(item) for item in value] if isinstance(value, list) else value


def predict_rows(
    student: "Student", rows: Sequence[Row], *, first: int = 1, batch_size: int = 32
) -> list[dict[str, Any]]:
    """Predict each row, in order.

    Args:
        student: Of either task.
        rows: ``{"text"}`` (ner), or ``{"text", "head", "tail"}``, the mentions as they stand in the text or as
            ``[start, end]`` in characters (re).
        first: The number of the first row, for messages.
        batch_size: Rows at a time.

    Returns:
        As :func:`answer`.

    Raises:
        DataError: A row lacks a column, or a mention does not stand in its text; the message names the row.
    """
    task = student.labels.task
    return answer(student, [read_row(task, row, f"row {at}") for at, row in enumerate(rows, first)], batch_size)


def answer(student: "Student", asked: Sequence[Asked], batch_size: int = 32) -> list[dict[str, Any]]:
    """Predict what :func:`read_row` read for the student's task, in order.

    Returns:
        ``{"entities": [{"start", "end", "text", "type", "score"}]}`` or ``{"label", "score"}`` per row; offsets
        count characters, end exclusive, and a score is a probability. A blank text has no entities.
    """
    if not student.labels.definition.reads_pair:
        found = student.predict([one.text for one in asked], batch_size)
        return [{"entities": [_rounded(mention._asdict()) for mention in mentions]} for mentions in found]
    pairs = [(one.text, one.head, one.tail) for one in asked if one.head and one.tail]
    return [_rounded(relation._asdict()) for relation in student.predict_relations(pairs, batch_size)]


def read_row(task: "TaskName", row: Row, where: str) -> Asked:
    """Check a row; where head and tail read the same, the tail is the next occurrence.

    Raises:
        DataError: It is no object, lacks a column, or a mention does not stand in its text; the message names
            ``where``.
    """
    from cotpd.student.tasks import find_task

    if not isinstance(row, Mapping):
        raise DataError(f"{where} {_problem(row)}", 'Give each row as an object: {"text": "..."}.')
    text = _text(row, where)
    if not find_task(task).reads_pair:
        return Asked(text)
    head = _mention(row, "head", text, where)
    again = isinstance(row["head"], str) and row["head"] == row.get("tail")
    return Asked(text, head, _mention(row, "tail", text, where, head[1] if again else 0))


def example_of(asked: Asked) -> "Example | None":
    """What was asked as an example to be labelled; None for a text without a word, as nothing is in it."""
    from cotpd.student.examples import build_pair_example, build_text_example

    if asked.head and asked.tail:
        return build_pair_example(asked.text, asked.head, asked.tail)
    return build_text_example(asked.text)


def _mention(row: Row, name: str, text: str, where: str, start: int = 0) -> Span:
    from cotpd.student.examples import find_mention

    mention = row.get(name)
    if isinstance(mention, list | tuple):
        return _offsets(mention, name, text, where)
    if not isinstance(mention, str):
        remedy = f"Give {name} as a string, as the text has it, or as [start, end] in characters."
        raise DataError(f"{where}: {name} {_problem(mention)}", remedy)
    found = find_mention(text, mention, start)
    if found is None:
        again = " a second time" if start else ""
        raise DataError(
            f"{where}: {name} {mention!r} does not stand in the text{again}",
            "Write it as the text does, case included.",
        )
    return found


def _offsets(mention: Sequence[Any], name: str, text: str, where: str) -> Span:
    whole = [one for one in mention if isinstance(one, int) and not isinstance(one, bool)]
    if len(mention) == len(whole) == 2 and 0 <= whole[0] < whole[1] <= len(text):
        if text[whole[0] : whole[1]].strip():
            return whole[0], whole[1]
        raise DataError(f"{where}: no word at {name} {list(mention)}", "Count characters from 0, end exclusive.")
    raise DataError(
        f"{where}: {name} {list(mention)} is no place in a text of {len(text)} characters",
        "Give [start, end], counting characters from 0, end exclusive.",
    )


def _text(row: Row, where: str) -> str:
    value = row.get("text")
    if not isinstance(value, str):
        raise DataError(f"{where}: text {_problem(value)}", "Give text as a string.")
    return value


def _problem(value: object) -> str:
    if value is None or value != value:  # pandas writes NaN where there is nothing
        return "is missing"
    return f"is {type(value).__name__}, not text"


def _rounded(found: dict[str, Any]) -> dict[str, Any]:
    return found | {"score": round(found["score"], DIGITS)}
