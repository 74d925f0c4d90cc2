"""The examples that a job of a study reads, built from the tables that the pipeline has prepared.

Trade-off: a job says in a few words which examples it reads, and the planner and the job's own process each build
them; the digest in the job's key has the process notice tables that were changed in between.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from cotpd.data.records import SPLITS, Extracted, Record, TaskName, WordSplitting
from cotpd.data.validated import read_knowledge
from cotpd.errors import DataError
from cotpd.pipeline.folds import Folds, draw_folds
from cotpd.pipeline.training_examples import read_label_names, remove_knowledge
from cotpd.pipeline.workspace import UNLABELLED, Workspace
from cotpd.student.examples import Example, build_augmented_examples, build_examples, remove_labels
from cotpd.student.tasks import find_task
from cotpd.studies.changes import Tables, apply_changes, select_data_set
from cotpd.studies.study import Changes, DataSet

Level = Literal["text", "caption", "knowledge"]


class LeftOut(Record):
    """The fold that a training of cross-fitted teachers leaves out, and how the folds were drawn."""

    folds: int
    fold: int
    seed: int


class Source(Record):
    """Which examples a job reads.

    Attributes:
        data_set, changes: The tables, and what a cell changes about them.
        split: train, valid or test.
        level: What an example holds beside its text.
        augmented: train: with the augmented posts.
        unlabelled: train: with the posts that have no labels, after the others.
        left_out: train: the fold whose examples are left out.
        row: The row of the language model alone whose labels stand beside the examples; "" for none.
    """

    data_set: DataSet
    changes: Changes
    split: Literal["train", "valid", "test"]
    level: Level
    augmented: bool = False
    unlabelled: bool = False
    left_out: LeftOut | None = None
    row: str = ""


class Sources:
    """Builds the examples of sources, and reads each data set once.

    Args:
        task: The task of the examples.
        root: The folder in which the study runs.
    """

    def __init__(self, task: TaskName, root: Path = Path()) -> None:
        self.task, self.root = task, root
        self._read = cache(self._read_tables)
        self._change = cache(self._change_tables)
        self._digest = cache(self._compute_digest)
        self._draw = cache(self._draw_folds)

    def get_tables(self, data_set: DataSet, changes: Changes) -> Tables:
        """Return the changed tables of a data set.

        Raises:
            DataError: The project's pipeline has not written them.
        """
        return self._change(data_set.model_dump_json(), changes)

    def build_labelled(self, source: Source) -> list[Example]:
        """Return the examples of a source that have labels."""
        tables = self.get_tables(source.data_set, source.changes)
        captions = {} if source.level == "text" else tables.captions
        knowledge = tables.knowledge if source.level == "knowledge" else {}
        examples = build_examples(tables.posts.get(source.split, ()), self.task, captions, knowledge)
        if source.augmented:
            augmented = build_augmented_examples(tables.augmented, self.task, captions, knowledge)
            examples += remove_knowledge(augmented) if source.level == "text" else augmented
        if source.left_out is not None:
            part = source.left_out
            folds = self.draw_folds(source.data_set, source.changes, count=part.folds, seed=part.seed)
            return folds.select_training(examples, source.left_out.fold)
        return examples

    def draw_folds(self, data_set: DataSet, changes: Changes, *, count: int, seed: int) -> Folds:
        """Cut the training posts of changed tables into folds.

        Raises:
            DataError: There are fewer groups of posts than folds.
        """
        return self._draw(data_set.model_dump_json(), changes, count, seed)

    def build_unlabelled(self, source: Source) -> list[Example]:
        """Return the examples of a source that have none."""
        if not source.unlabelled:
            return []
        tables = self.get_tables(source.data_set, source.changes)
        posts = [find_task(self.task).drop_gold(post) for post in tables.posts.get(UNLABELLED, ())]
        captions = {} if source.level == "text" else tables.captions
        knowledge = tables.knowledge if source.level == "knowledge" else {}
        return [remove_labels(example) for example in build_examples(posts, self.task, captions, knowledge)]

    def build(self, source: Source) -> list[Example]:
        """Return all examples of a source."""
        return self.build_labelled(source) + self.build_unlabelled(source)

    def read_extracted(self, source: Source) -> list[Extracted]:
        """Return what the language model alone labelled, with the labels of the source's data set."""
        if not source.row:
            return []
        names = source.data_set.types
        rows = Workspace(self.root / source.data_set.project).read_extracted()
        return [_rename_labels(row, names) for row in rows if (row.row, row.split) == (source.row, source.split)]

    def read_words(self, data_set: DataSet) -> WordSplitting:
        """Return how the text of a data set became words, which a model that stays needs to know."""
        return Workspace(self.root / data_set.project).read_words()

    def measure(self, source: Source) -> tuple[int, str]:
        """Return the number of a source's examples, and the digest of their content."""
        return self._digest(source.model_dump_json())

    def _compute_digest(self, source_json: str) -> tuple[int, str]:
        source = Source.model_validate_json(source_json)
        digest = hashlib.sha256()
        labelled, unlabelled = self.build_labelled(source), self.build_unlabelled(source)
        for example in (*labelled, *unlabelled):
            digest.update(example.model_dump_json(exclude={"file", "line"}).encode() + b"\n")
        for extracted in self.read_extracted(source):
            digest.update(extracted.model_dump_json().encode() + b"\n")
        digest.update(b"%d" % len(labelled))
        return len(labelled) + len(unlabelled), digest.hexdigest()

    def _change_tables(self, data_set_json: str, changes: Changes) -> Tables:
        data_set = DataSet.model_validate_json(data_set_json)
        tables = self._read(data_set.project)
        if changes.source is not None:
            folder = changes.source.locate(self.root, data_set.project)
            tables = replace(tables, knowledge=read_knowledge(folder) if folder.is_dir() else {})
        return apply_changes(select_data_set(tables, data_set), changes)

    def _draw_folds(self, data_set_json: str, changes: Changes, count: int, seed: int) -> Folds:
        tables = self._change(data_set_json, changes)
        unlabelled = [find_task(self.task).drop_gold(post) for post in tables.posts.get(UNLABELLED, ())]
        return draw_folds(
            tables.posts.get("train", ()), tables.augmented, unlabelled, self.task, count=count, seed=seed
        )

    def _read_tables(self, project: str) -> Tables:
        workspace = Workspace(self.root / project)
        if not workspace.prepared.is_dir():
            remedy = f"Run there: dvc repro augment; then the study, in {self.root.resolve()}."
            raise DataError(f"{workspace.prepared}: the pipeline has prepared no posts there", remedy)
        has_knowledge = workspace.validated.is_dir()
        has_augmented = (workspace.augmented / "augmented.jsonl").is_file()
        return Tables(
            types=read_label_names(workspace, self.task),
            posts={split: workspace.read_posts(split) for split in (*SPLITS, UNLABELLED)},
            captions=workspace.read_captions() if has_knowledge else {},
            knowledge=workspace.read_knowledge() if has_knowledge else {},
            augmented=workspace.read_augmented() if has_augmented else [],
        )


def _rename_labels(row: Extracted, names: Mapping[str, str]) -> Extracted:
    mentions = [
        mention.model_copy(update={"type": names.get(mention.type or "", mention.type)})
        for mention in row.mentions
    ]
    return row.model_copy(update={"mentions": tuple(mentions), "label": names.get(row.label or "", row.label)})
