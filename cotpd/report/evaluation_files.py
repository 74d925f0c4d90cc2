"""The files of an evaluation, from which its page is built; each may be missing, and the page then says so."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from cotpd.data.tables import read_json, read_table
from cotpd.errors import DataError
from cotpd.evaluation.intervals import IntervalRow
from cotpd.evaluation.predictions import read_predictions
from cotpd.evaluation.results_table import Metrics, read_metrics
from cotpd.evaluation.uncorrected_scores import CORRECTED_LABELS, describe_versions
from cotpd.report.evidence import EXPLAINED, NEAREST, NearestRow
from cotpd.report.run_record import RUN_RECORD, RunRecord
from cotpd.student.tasks import Prediction

T = TypeVar("T")
CURVES = "plots/curves.csv"


class Missing(NamedTuple):
    """A file that is not there, or cannot be used: what the page lacks without it, and the reason."""

    name: str
    lacks: str
    reason: str


class CurvePoint(NamedTuple):
    """A measure of a model after an epoch of its training."""

    model: str
    measure: str
    epoch: float
    value: float


@dataclass
class EvaluationFiles:
    """The contents of an evaluation's folder; the field of a missing file is empty, and ``missing`` names it."""

    metrics: Metrics = field(default_factory=dict)
    predictions: Sequence[Prediction] = ()
    intervals: Sequence[IntervalRow] = ()
    record: RunRecord | None = None
    nearest: Sequence[NearestRow] = ()
    explained: Sequence[Mapping[str, Any]] = ()
    curves: Sequence[CurvePoint] = ()
    buckets: Sequence[Mapping[str, Any]] = ()
    schemas: Sequence[Mapping[str, Any]] = ()
    diagnoses: Sequence[Mapping[str, Any]] = ()
    suspects: Sequence[Mapping[str, Any]] = ()
    corrected: Sequence[str] = ()
    missing: list[Missing] = field(default_factory=list)


def read_evaluation(folder: Path) -> EvaluationFiles:
    """Read the folder that the evaluate step wrote, whatever of it is there.

    Raises:
        DataError: The folder is missing, or holds neither scores nor predictions.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder", "Write it: dvc repro evaluate")
    files = EvaluationFiles()
    for name, attribute, lacks, read in _SOURCES:
        if name == CORRECTED_LABELS and not (folder / name).is_file():
            continue  # an evaluation of an earlier version has corrected nothing
        try:
            setattr(files, attribute, read(folder / name))
        except DataError as error:
            is_absent = not (folder / name).is_file()
            reason = "there is no such file" if is_absent else error.problem.removeprefix(f"{folder / name}")
            files.missing.append(Missing(name, lacks, reason.strip(": ")))
    if not files.metrics and not files.predictions:
        raise DataError(f"{folder}: holds neither scores nor predictions", "Write them: dvc repro evaluate")
    return files


def _read_list(path: Path) -> list[dict[str, Any]]:
    """Return a list of objects from a JSON file."""
    values = _parse(path, json.loads)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise DataError(f"{path}: holds no list of objects", "Write it again: dvc repro --force evaluate")
    return values


def _read_versions(path: Path) -> list[str]:
    """Return a sentence for each split with corrected labels, with the scores on both versions."""
    try:
        return describe_versions(read_json(path))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise DataError(
            f"{path}: not what evaluate writes", "Write it again: dvc repro --force evaluate"
        ) from None


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Return an object from each line of a file; a post's text may hold other separators of lines (U+2028)."""
    rows = _parse(path, lambda text: [json.loads(line) for line in text.split("\n") if line.strip()])
    if not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: a line holds no object", "Write it again: dvc repro --force evaluate")
    return rows


def _parse(path: Path, parse: Callable[[str], T]) -> T:
    try:
        return parse(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: {error}", "Write it again: dvc repro --force evaluate") from None


def _read_record(path: Path) -> RunRecord:
    try:
        return RunRecord.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}", "Write it again: dvc repro --force evaluate") from None


def _read_nearest(path: Path) -> list[NearestRow]:
    return read_table(path, NearestRow)


def _read_intervals(path: Path) -> list[IntervalRow]:
    return read_table(path, IntervalRow)


def _read_curves(path: Path) -> list[CurvePoint]:
    return _parse(path, _parse_curves)


def _parse_curves(text: str) -> list[CurvePoint]:
    rows = csv.DictReader(io.StringIO(text))
    if not {*CurvePoint._fields} <= {*(rows.fieldnames or ())}:
        raise ValueError("not the columns model, epoch, measure and value")
    return [_read_point(row) for row in rows]


def _read_point(row: Mapping[str, str]) -> CurvePoint:
    """Return a row of curves.csv; raises ValueError if it is none."""
    try:
        return CurvePoint(row["model"], row["measure"], float(row["epoch"]), float(row["value"]))
    except TypeError:
        raise ValueError("a line with too few columns") from None


_Reader = Callable[[Path], Any]
_SOURCES: Sequence[tuple[str, str, str, _Reader]] = (
    ("scores.json", "metrics", "the scores", read_metrics),
    ("predictions.jsonl", "predictions", "the posts, mistakes and reliability", read_predictions),
    ("intervals.jsonl", "intervals", "the intervals of types and slices", _read_intervals),
    (RUN_RECORD, "record", "what was run", _read_record),
    (NEAREST, "nearest", "the training posts near to a post", _read_nearest),
    (EXPLAINED, "explained", "the explained predictions", _read_list),
    (CURVES, "curves", "the learning curves", _read_curves),
    ("buckets.json", "buckets", "the scores by bucket", _read_list),
    ("schemas.json", "schemas", "the scores by schema of a match", _read_list),
    ("diagnoses.json", "diagnoses", "the diagnoses", _read_list),
    (CORRECTED_LABELS, "corrected", "the scores on labels as they were before their correction", _read_versions),
    ("suspected_errors.jsonl", "suspects", "the suspected errors of the annotation", _read_lines),
)
