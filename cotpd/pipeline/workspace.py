"""Where the pipeline's files lie, and the records in them: the only place that knows both.

Trade-off: a workspace keeps what it has read, so that no step parses a table twice; it costs the memory of the
tables for as long as the step runs. A step that writes a table and reads it again needs a new workspace.
"""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cotpd.data.records import (
    SPLITS,
    Answer,
    Augmented,
    Caption,
    Extracted,
    Kind,
    Post,
    Quarantined,
    WordSplitting,
)
from cotpd.data.tables import read_json, read_table
from cotpd.data.validated import read_captions, read_knowledge
from cotpd.errors import DataError

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")

QUARANTINE = "quarantine.jsonl"  # in the folder of a step that sets rows aside
INTERVALS = "intervals.jsonl"  # in the folder of an evaluation
UNLABELLED = "unlabelled"  # prepared beside the splits: posts whose labels are not read
UNCORRECTED = "uncorrected"  # SPLIT_uncorrected, beside the splits: corrected posts as the data set labels them
# Training posts that data.limit leaves out, prepared in a folder: of an empty file DVC would warn at each run.
BEYOND_LIMIT = "beyond_limit/train"


class Workspace:
    """Where each step's tables lie below a project's folder, each read at most once.

    Args:
        root: The project's folder, the one with dvc.yaml.
        data: The folder of tables, from ``root``; `cotpd explain` may be given a copy that lies elsewhere.
    """

    def __init__(self, root: Path = Path(), data: Path = Path("data")) -> None:
        tables, models, reports = root / data, root / "models", root / "reports"

        self.prepared = tables / "prepared"  # a table per split, the label names, quarantined rows
        self.words = self.prepared / "words.json"  # how text becomes words
        self.captions = tables / "captions.jsonl"  # as the captioner wrote them
        self.answers = tables / "answers.jsonl"  # as the LLM wrote them
        self.validated = tables / "validated"  # the captions and answers that passed their checks
        self.augmented = tables / "augmented"
        self.extracted = tables / "extracted"  # what the LLM alone labelled on the held-out posts
        self.targets = tables / "targets"  # the teachers' soft targets
        self.baseline = models / "baseline"
        self.student = models / "student"
        self.teachers = models / "teachers"  # folders 0, 1, ...
        self.control = models / "control"  # taught without knowledge: teachers, their soft targets, the student
        self.control_student = self.control / "student"
        self.control_teachers = self.control / "teachers"
        self.control_targets = self.control / "targets"
        self.checks = reports / "checks"  # Great Expectations' Data Docs
        self.evaluation = reports / "evaluation"
        self.report = self.evaluation / "report.html"
        self.scores = self.evaluation / "scores.json"  # every figure
        self.intervals = self.evaluation / INTERVALS  # F1 by type and by slice, with 95 % intervals
        self.metrics = reports / "metrics.json"  # the figures that `dvc metrics` compares
        self.registered = reports / "registered.json"
        self.root, self._contents = root, dict[str, Any]()

    def locate_posts(self, split: str) -> Path:
        """Return where the posts of a split lie (or UNLABELLED, or BEYOND_LIMIT)."""
        return self.prepared / f"{split}.jsonl"

    def locate_teacher(self, number: int) -> Path:
        """Return the folder of a teacher; the first is 0."""
        return self.teachers / str(number)

    def list_teachers(self) -> list[Path]:
        """Return the folders of the teachers, in no meaningful order; none if training was joint."""
        return sorted(self.teachers.glob("[0-9]*"))

    def read_posts(self, split: str) -> list[Post]:
        """Return the posts of a split (or UNLABELLED, or BEYOND_LIMIT); none if the data set has no such split."""
        path = self.locate_posts(split)
        return self._read_table(path, Post) if path.is_file() else []

    def read_uncorrected_posts(self, split: str) -> list[Post]:
        """Return the posts of a split that data.corrections corrects, as the data set labels them."""
        return self.read_posts(f"{split}_{UNCORRECTED}")

    def read_all_posts(self) -> list[Post]:
        """Return the posts of every split, train first, then those without labels."""
        return list(chain.from_iterable(map(self.read_posts, (*SPLITS, UNLABELLED))))

    def read_label_names(self, key: str) -> tuple[str, ...]:
        """Return the labels that the data set uses, or that data.types allows.

        Args:
            key: types (entities), labels (relations), classes (posts), or that of a further task.

        Raises:
            DataError: The summary of prepare is missing or was edited.
        """
        path = self.prepared / "summary.json"
        names = read_json(path, key)[key]
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise DataError(f"{path}: {key} is no list of names", "Write it again: dvc repro --force prepare")
        return tuple(names)

    def read_words(self) -> WordSplitting:
        """Return how text becomes words; tables that an earlier release prepared do not say, and mean social.

        Raises:
            DataError: The file was edited.
        """
        if not self.words.is_file():
            return WordSplitting()
        try:
            return WordSplitting.model_validate(read_json(self.words))
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise DataError(f"{self.words}: {problem}", "Write it again: dvc repro --force prepare") from None

    def read_unchecked_captions(self) -> list[Caption]:
        """Return what the captioner wrote, one row a post."""
        return self._read_table(self.captions, Caption)

    def read_answers(self) -> list[Answer]:
        """Return what the LLM wrote or the data set brought along, before any check."""
        return self._read_table(self.answers, Answer)

    def read_captions(self) -> dict[str, str]:
        """Return the captions that passed their checks, by post id."""
        return self._read_once("captions", lambda: read_captions(self.validated))

    def read_knowledge(self) -> dict[str, dict[Kind, str]]:
        """Return the knowledge that passed its checks, by post id and kind, in the order of the kinds."""
        return self._read_once("knowledge", lambda: read_knowledge(self.validated))

    def read_augmented(self) -> list[Augmented]:
        """Return the further training posts."""
        return self._read_table(self.augmented / "augmented.jsonl", Augmented)

    def read_augment_counts(self) -> dict[str, Any]:
        """Return how many posts of each kind were made and rejected."""
        return read_json(self.augmented / "counts.json")

    def read_extracted(self) -> list[Extracted]:
        """Return what the LLM alone labelled; nothing if it was not asked."""
        path = self.extracted / "extracted.jsonl"
        return self._read_table(path, Extracted) if path.is_file() else []

    def read_quarantine(self) -> list[Quarantined]:
        """Return the rows that prepare, validate, augment and extract have set aside, in this order."""
        return list(chain.from_iterable(map(self.read_refused, self.list_refusing_folders())))

    def list_refusing_folders(self) -> list[Path]:
        """Return the folders that hold a table of rows set aside: of prepare, validate, augment, extract."""
        folders = (self.prepared, self.validated, self.augmented, self.extracted)
        return [folder for folder in folders if (folder / QUARANTINE).is_file()]

    def read_refused(self, folder: Path) -> list[Quarantined]:
        """Return the rows that the step which writes a folder has set aside."""
        return self._read_table(folder / QUARANTINE, Quarantined)

    def _read_table(self, path: Path, record: type[R]) -> list[R]:
        return self._read_once(str(path), lambda: read_table(path, record))

    def _read_once(self, key: str, read: Callable[[], T]) -> T:
        """Return what was read under a key before; read it if nothing was."""
        if key not in self._contents:
            self._contents[key] = read()
        contents: T = self._contents[key]
        return contents
