"""The posts of a window: the output of batch scoring, answers that were kept, or posts that are scored here."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.errors import DataError
from cotpd.monitoring.observations import Observation, describe_post, draw_sample
from cotpd.scoring.batch_job import open_source, require_input
from cotpd.scoring.columns import ColumnNames
from cotpd.scoring.file_formats import find_format
from cotpd.scoring.row_predictions import BatchOptions, predict_source_rows
from cotpd.scoring.source_rows import SourceRow
from cotpd.student.tasks import find_task

if TYPE_CHECKING:
    from cotpd.data.records import TaskName
    from cotpd.scoring.scoring_model import ScoringModel

_ROWS = 512  # at a time


@dataclass
class Window:
    """A window.

    Attributes:
        observations: One of each post, or of each post of a sample.
        rows: All of them.
        unreadable: Rows without a post or with a prediction that cannot be read.
        notes: On the model that scored it, as far as the file says.
    """

    observations: list[Observation]
    rows: int
    unreadable: int
    notes: dict[str, Any] = field(default_factory=dict)


class WindowFile:
    """A file of posts, with or without predictions.

    Args:
        path: In any format of batch scoring.
        columns: The post's column, the pair's, and the prefix of the predicted ones.
        task: The task of the reference.

    Raises:
        ConfigError: There is no such file, or its name says no format.
    """

    def __init__(self, path: Path, columns: ColumnNames, task: "TaskName") -> None:
        require_input(path)
        self._path, self._columns, self._task = path, columns, task
        self._source = open_source(path, find_format(str(path)))
        self._survey = self._source.summarize()
        self._columns = columns.adapt(self._survey)
        self._unreadable = 0

    @property
    def is_scored(self) -> bool:
        """Whether it has predictions."""
        return f"{self._columns.prefix}{_name_column(self._task)}" in self._survey.kinds

    def read(self, vocabulary: frozenset[int], model: "ScoringModel | None" = None) -> Window:
        """Observe its posts.

        Args:
            vocabulary: Of the training posts.
            model: Scores them; None reads the predictions that the file has.

        Raises:
            DataError: It has no column of posts, or is damaged.
        """
        if self._columns.text not in self._survey.kinds:
            names = ", ".join(self._survey.kinds) or "none"
            problem = f"{self._path}: there is no column {self._columns.text!r}"
            raise DataError(problem, f"Name the posts' column: --text-column. It has: {names}.")
        predicted = self._iterate_predicted() if model is None else self._iterate_scored(model)
        observed = (describe_post(text, prediction, vocabulary) for text, prediction in predicted)
        observations, _ = draw_sample(observed)
        notes = self._read_notes() if model is None else model.describe()
        return Window(observations, self._survey.rows, self._unreadable, notes)

    def _iterate_predicted(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield text and prediction of each row that has both."""
        prefix = self._columns.prefix
        chunks = self._source.iterate_chunks(None, _ROWS)
        for row in chain.from_iterable(chunk.list_rows() for chunk in chunks):
            text, prediction = self._read_text(row), _read_prediction(row, prefix, self._task)
            if text is not None and prediction is not None and not row.values.get(f"{prefix}error"):
                yield text, prediction
            else:
                self._unreadable += 1

    def _iterate_scored(self, model: "ScoringModel") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield text and prediction of each row that the model can read."""
        options = BatchOptions(self._columns)
        for chunk in self._source.iterate_chunks(None, _ROWS):
            rows = chunk.list_rows()
            for row, outcome in zip(rows, predict_source_rows(model, rows, 1, options), strict=True):
                if "error" in outcome:
                    self._unreadable += 1
                else:
                    yield self._read_text(row) or "", outcome

    def _read_text(self, row: SourceRow) -> str | None:
        """Return the text of a row, its words joined where it has these; None if it has neither."""
        text = row.values.get(self._columns.text)
        if isinstance(text, list) and all(isinstance(word, str) for word in text):
            return " ".join(text)
        return text if isinstance(text, str) else None

    def _read_notes(self) -> dict[str, Any]:
        """Return what batch scoring has noted on the model; empty for other files."""
        if find_format(str(self._path)).name == "parquet":
            from cotpd.scoring.parquet_files import read_notes  # noqa: PLC0415  pyarrow is of an extra

            return read_notes(self._path)
        notes = self._path.with_name(f"{self._path.name}.meta.json")
        try:
            value = json.loads(notes.read_bytes())
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}


def _name_column(task: "TaskName") -> str:
    """Return the column that holds the predictions of a task."""
    return next(iter(find_task(task).no_prediction))


def _read_prediction(row: SourceRow, prefix: str, task: "TaskName") -> dict[str, Any] | None:
    """Return the prediction of a row; None if it has none that can be read."""
    if _name_column(task) == "label":
        label, score = row.values.get(f"{prefix}label"), _read_number(row.values.get(f"{prefix}score"))
        return {"label": label, "score": score} if isinstance(label, str) and label else None
    entities = row.values.get(f"{prefix}entities")
    if isinstance(entities, str):  # a cell of CSV
        try:
            entities = json.loads(entities)
        except (ValueError, RecursionError):
            return None
    if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
        return None
    if not all(isinstance(entity.get("type"), str) for entity in entities):
        return None
    return {"entities": [{**entity, "score": _read_number(entity.get("score"))} for entity in entities]}


def _read_number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number <= 1 else None
