"""Rows as a user writes them, turned into predictions as a user reads them: characters of the text, never tokens.

Shared by the served model and by `cotpd predict`, so that both accept and return the same.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cotpd.data.records import WordSplitting
from cotpd.data.words import SOCIAL, TextInWords, is_empty
from cotpd.errors import DataError
from cotpd.student.examples import Example, build_pair_example, build_text_example, find_mention, find_touched
from cotpd.student.tasks import Span, TaskName, find_task

if TYPE_CHECKING:
    from cotpd.student.predictor import Predictor

Row = Mapping[str, Any]


class PredictionInput(NamedTuple):
    """A row that passed its checks: its text and, for a relation, its two mentions in characters.

    ``offsets`` are the words that the row gave, as characters of the text; all its spans then count words.
    """

    text: str
    head: Span | None = None
    tail: Span | None = None
    offsets: tuple[Span, ...] | None = None

    @property
    def content(self) -> str | TextInWords:
        """The text, with its words if the row gave them."""
        return self.text if self.offsets is None else TextInWords(self.text, self.offsets)

    def find_characters(self, span: Span) -> Span:
        """Return the characters of a predicted or given span."""
        return span if self.offsets is None else TextInWords(self.text, self.offsets).find_characters(span)


def list_rows(request: Any) -> list[Any]:
    """Return the rows of a request in whatever form MLflow hands it on, each value as the client wrote it.

    A data frame stays one, `inputs` become lists of objects whose values are NumPy arrays, and `instances` become
    columns, in which MLflow has turned numbers among texts into text.

    Raises:
        DataError: Its columns differ in length. What is wrong in a row is for :func:`read_input` to say.
    """
    if hasattr(request, "to_dict"):  # a data frame without a single column still has its rows
        return [_convert_arrays(row) for row in request.to_dict("records")] or [{}] * len(request)
    rows = _convert_arrays(request)
    if isinstance(rows, Mapping) and (isinstance(rows.get("text"), list) or _has_lists(rows.get("tokens"))):
        return _convert_columns(rows)
    return rows if isinstance(rows, list) else [rows]


def _has_lists(value: Any) -> bool:
    """Whether a value of ``tokens`` is a column of many rows, and not the words of one."""
    return isinstance(value, list) and bool(value) and all(isinstance(item, list) for item in value)


def _convert_columns(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = {name: values if isinstance(values, list) else [values] for name, values in columns.items()}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) > 1:
        raise DataError(f"columns of {sorted(lengths)} rows", "Give each row as an object.")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _convert_arrays(value: Any) -> Any:
    """Return a value with lists in place of the NumPy arrays inside it."""
    if isinstance(value, Mapping):
        return {key: _convert_arrays(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    return [_convert_arrays(item) for item in value] if isinstance(value, list) else value


def predict_rows(
    student: "Predictor", rows: Sequence[Row], *, first: int = 1, batch_size: int = 32
) -> list[dict[str, Any]]:
    """Predict each row, in order.

    Args:
        student: A student of any task.
        rows: ``{"text"}``, or ``{"text", "head", "tail"}``, the mentions as they stand in the text or as
            ``[start, end]`` in characters (re). ``{"tokens": [...]}`` gives the words in place of the text, or
            beside it; every start and end then counts words.
        first: The number of the first row, for messages.
        batch_size: Rows at a time.

    Returns:
        As :func:`predict_inputs`.

    Raises:
        DataError: A row lacks a column, or a mention does not stand in its text; the message names the row.
    """
    task = student.labels.task
    inputs = [read_input(task, row, f"row {number}") for number, row in enumerate(rows, first)]
    return predict_inputs(student, inputs, batch_size)


def predict_inputs(
    student: "Predictor", inputs: Sequence[PredictionInput], batch_size: int = 32
) -> list[dict[str, Any]]:
    """Predict inputs that :func:`read_input` read for the student's task, in order.

    Returns:
        ``{"entities": [{"start", "end", "text", "type", "score"}]}`` or ``{"label", "score"}`` per input; offsets
        count characters, or words where they were given, end exclusive; a score is a probability. A blank text has
        no entities; its label and score are None.
    """
    return student.labels.definition.predict(student, inputs, batch_size)


def read_input(task: TaskName, row: Any, location: str) -> PredictionInput:
    """Check a row; where head and tail read the same, the tail is the next occurrence.

    Raises:
        DataError: It is no object, lacks a column, or a mention does not stand in its text; the message begins
            with ``location``.
    """
    if not isinstance(row, Mapping):
        raise DataError(f"{location} {_describe_type(row)}", 'Give each row as an object: {"text": "..."}.')
    content = _read_content(row, location)
    text, offsets = (content, None) if isinstance(content, str) else (content.text, content.offsets)
    if not find_task(task).reads_pair:
        return PredictionInput(text, offsets=offsets)

    head = _read_mention(row, "head", content, location)
    is_repeated = isinstance(row["head"], str) and row["head"] == row.get("tail")
    return PredictionInput(
        text, head, _read_mention(row, "tail", content, location, head[1] if is_repeated else 0), offsets
    )


def _read_content(row: Row, location: str) -> str | TextInWords:
    """Return the text of a row, with its words if ``tokens`` lists them; a number of tokens is another program's.

    Raises:
        DataError: There is no text, or the words are not those of the text.
    """
    text, tokens = row.get("text"), row.get("tokens")
    if is_empty(row):
        return ""
    if isinstance(tokens, list | tuple):
        try:
            return TextInWords.from_words(tokens, text)
        except DataError as error:
            raise DataError(f"{location}: {error.problem}", error.remedy) from None
    if not isinstance(text, str):
        raise DataError(f"{location}: text {_describe_type(text)}", "Give text as a string.")
    return text


def build_example(row: PredictionInput, words: WordSplitting = SOCIAL) -> Example | None:
    """Build an example to be labelled; None for a text without a word, which has no labels."""
    if row.head and row.tail:
        return build_pair_example(row.content, row.head, row.tail, words)
    return build_text_example(row.content, words)


def _read_mention(row: Row, name: str, content: str | TextInWords, location: str, start: int = 0) -> Span:
    """Return a mention of a pair, in characters, or in words where these were given.

    Args:
        row: The row.
        name: head or tail.
        content: The text, and its words if the row gives them.
        location: For messages.
        start: Characters, or words, before a second occurrence.
    """
    mention = row.get(name)
    if isinstance(mention, list | tuple):
        return _read_offsets(mention, name, content, location)
    if not isinstance(mention, str):
        remedy = f"Give {name} as a string, as the text has it, or as [start, end] in characters."
        raise DataError(f"{location}: {name} {_describe_type(mention)}", remedy)

    offsets = () if isinstance(content, str) else content.offsets
    text = content if isinstance(content, str) else content.text
    first = offsets[start - 1][1] if offsets and start else start
    span = find_mention(text, mention, first)
    if span is None:
        again = " a second time" if start else ""
        raise DataError(
            f"{location}: {name} {mention!r} does not stand in the text{again}",
            "Write it as the text does, case included.",
        )
    return find_touched(offsets, span) if offsets else span


def _read_offsets(mention: Sequence[Any], name: str, content: str | TextInWords, location: str) -> Span:
    is_text = isinstance(content, str)
    size = len(content) if isinstance(content, str) else len(content.offsets)
    unit = "characters" if is_text else "tokens"
    numbers = [value for value in mention if isinstance(value, int) and not isinstance(value, bool)]
    if len(mention) == len(numbers) == 2 and 0 <= numbers[0] < numbers[1] <= size:
        if not isinstance(content, str) or content[numbers[0] : numbers[1]].strip():
            return numbers[0], numbers[1]
        remedy = "Count characters from 0, end exclusive."
        raise DataError(f"{location}: no word at {name} {list(mention)}", remedy)
    raise DataError(
        f"{location}: {name} {list(mention)} is no place in a text of {size} {unit}",
        f"Give [start, end], counting {unit} from 0, end exclusive.",
    )


def _describe_type(value: object) -> str:
    if value is None or value != value:  # pandas writes NaN where there is nothing
        return "is missing"
    return f"is {type(value).__name__}, not text"
