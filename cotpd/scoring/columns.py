"""Which columns are read, which are kept, and what those of the predictions are called."""

import difflib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cotpd.data.readers.values import RowError, parse_json
from cotpd.errors import DataError
from cotpd.scoring.source_rows import SourceRow, Survey
from cotpd.student.prediction_input import PredictionInput, read_input
from cotpd.student.tasks import TaskName, find_task

if TYPE_CHECKING:
    import pyarrow as pa

ERROR, WORDS = "error", "tokens"
_OFFSETS = re.compile(r"\s*\[\s*\d{1,18}\s*,\s*\d{1,18}\s*\]\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 12  # columns in a message


@dataclass(frozen=True)
class ColumnNames:
    """The user's names of columns.

    Attributes:
        text: The posts. A column of the name ``tokens`` holds lists of their words.
        head, tail: The pair, for relations.
        keep: The columns that come out again; None keeps all.
        prefix: Put before the names of the predicted columns.
    """

    text: str = "text"
    head: str = "head"
    tail: str = "tail"
    keep: tuple[str, ...] | None = None
    prefix: str = ""

    def adapt(self, survey: Survey) -> "ColumnNames":
        """Return the names for a source: of one without the column of texts, the words are read."""
        is_in_words = self.text == ColumnNames.text and self.text not in survey.kinds and WORDS in survey.kinds
        return replace(self, text=WORDS) if is_in_words else self

    def list_read(self, task: TaskName) -> list[str]:
        """Return the columns that the model of a task reads."""
        return list(dict.fromkeys([self.text, *([self.head, self.tail] if find_task(task).reads_pair else [])]))

    def list_kept(self, survey: Survey) -> list[str]:
        """Return the columns that come out again, in the order of the file."""
        return [name for name in survey.kinds if self.keep is None or name in self.keep]

    def select_kept(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a row that come out again."""
        return {name: value for name, value in values.items() if self.keep is None or name in self.keep}

    def list_predicted(self, task: TaskName) -> list[str]:
        """Return the names of the predicted columns."""
        return [f"{self.prefix}{name}" for name in (*find_task(task).no_prediction, ERROR)]

    def check(self, task: TaskName, survey: Survey, path: object) -> None:
        """Refuse columns that are missing, hold no text, or would be overwritten.

        Raises:
            DataError: The message names the column and the file.
        """
        if survey.kinds or survey.rows:
            for name in (*self.list_read(task), *(self.keep or ())):
                _require_column(name, survey, path)
            self._require_readable(task, survey, path)
        clash = sorted(set(self.list_predicted(task)) & set(self.list_kept(survey)))
        if clash:
            raise DataError(
                f"{path}: its column {clash[0]!r} has the name of a predicted one",
                "Name the predicted ones --prefix predicted_ or leave it out with --keep.",
            )

    def _require_readable(self, task: TaskName, survey: Survey, path: object) -> None:
        readable = {"text", "list", "json"} if self.text == WORDS else {"text"}
        for name in self.list_read(task):
            kinds = survey.kinds[name] - {"null"}
            if survey.rows and not kinds & readable:
                content = f"holds {' and '.join(sorted(kinds))}, not text" if kinds else "is empty in every row"
                raise DataError(
                    f"{path}: the column {name!r} {content}", "Name the posts' column: --text-column NAME."
                )
            readable = {"text", "list", "json"}  # a head or tail may be [start, end]

    def read(self, task: TaskName, row: SourceRow, number: int) -> PredictionInput:
        """Check a row.

        Raises:
            DataError: It cannot be predicted; the message begins with the row's number.
        """
        where = f"row {number}" if row.line is None else f"row {number} (line {row.line})"
        if row.problem:
            raise DataError(f"{where}: {row.problem}", "Mend the row.")
        values = self._read_content(row.values)
        if find_task(task).reads_pair:
            values |= {"head": _read_mention(row.values, self.head), "tail": _read_mention(row.values, self.tail)}
        read = read_input(task, values, where)
        if broken := _SURROGATE.search(read.text):
            raise DataError(f"{where}: text holds half a surrogate pair, {broken[0]!r}", "Write whole characters.")
        return read

    def _read_content(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the text of a row, or its words; a cell of a table holds them as JSON."""
        text = row.get(self.text)
        if text is None and self.text == ColumnNames.text and isinstance(row.get(WORDS), list):
            return {"tokens": row[WORDS]}
        if self.text == WORDS and isinstance(text, str):
            with suppress(RowError):  # no JSON: a text after all
                text = parse_json(text)
        return {"tokens": text} if self.text == WORDS and isinstance(text, list) else {"text": text}

    def name_outcome(self, task: TaskName, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the predicted columns, for a prediction or ``{"error": reason}``."""
        values = {**find_task(task).no_prediction, ERROR: None, **outcome}
        return {f"{self.prefix}{name}": value for name, value in values.items()}

    def build_schema(self, task: TaskName) -> "pa.Schema":
        """Return the Arrow schema of the predicted columns."""
        import pyarrow as pa  # noqa: PLC0415  of an extra

        score, text = ("score", pa.float64()), pa.string()
        span = [("start", pa.int64()), ("end", pa.int64()), ("text", text), ("type", text), score]
        entities = pa.list_(pa.struct(span))
        types = {"entities": entities, "label": text, "score": pa.float64(), ERROR: text}
        names = (*find_task(task).no_prediction, ERROR)
        return pa.schema([(f"{self.prefix}{name}", types[name]) for name in names])


def _read_mention(values: Mapping[str, Any], name: str) -> Any:
    """Return a mention of a pair; a cell of a table such as ``[0, 3]`` means offsets, as in JSON."""
    mention = values.get(name)
    return parse_json(mention) if isinstance(mention, str) and _OFFSETS.fullmatch(mention) else mention


def _require_column(name: str, survey: Survey, path: object) -> None:
    if name in survey.kinds:
        return
    names: Sequence[str] = list(survey.kinds)
    nearest = difflib.get_close_matches(name, names, 1)
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
    raise DataError(
        f"{path}: there is no column {name!r}",
        f"{hint}It has: {shown or 'none'}. Name it by --text-column, --head-column, --tail-column or --keep.",
    )
