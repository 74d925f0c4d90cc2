"""Build the page of a run from the files of its evaluation and the tables of its data, whichever are there."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from cotpd.data.records import SPLITS, Post, Quarantined
from cotpd.errors import DataError
from cotpd.evaluation.slices import Slices, build_slices
from cotpd.pipeline.workspace import QUARANTINE, Workspace
from cotpd.report.browsable_posts import PostTables
from cotpd.report.evaluation_files import EvaluationFiles, Missing, read_evaluation
from cotpd.report.run_page import RunMaterial, write_run_page
from cotpd.student.tasks import TaskName

T = TypeVar("T")


def write_run_report(workspace: Workspace, path: Path, task: TaskName) -> list[Missing]:
    """Write the page of a run, and return the files that it had to do without.

    Args:
        workspace: With the files of an evaluation, and the tables that it was made from.
        path: The page.
        task: The task, unless the evaluation's own record names it.

    Raises:
        DataError: There is no evaluation, or a prediction names an unknown row or split.
        StorageError: The disk is full.
    """
    files = read_evaluation(workspace.evaluation)
    material = gather_material(workspace, files, files.record.task if files.record else task)
    write_run_page(material, path)
    return [*files.missing, *material.missing]


def gather_material(workspace: Workspace, files: EvaluationFiles, task: TaskName) -> RunMaterial:
    """Return what the page is made from; a table that is missing is named, and the page shows the others."""
    tables = _TableReader()
    validated, augmented = workspace.validated, workspace.augmented
    posts = PostTables(
        posts=tables.read_posts(workspace),
        captions=tables.read(validated / "captions.jsonl", "the captions", workspace.read_captions, {}),
        knowledge=tables.read(validated / "knowledge.jsonl", "the answers", workspace.read_knowledge, {}),
        slices=build_all_slices(workspace, task),
    )
    made, counts = (augmented / name for name in ("augmented.jsonl", "counts.json"))
    return RunMaterial(
        task,
        files,
        posts,
        quarantine=tables.read_refused(workspace),
        augmented=tables.read(made, "the augmented posts", workspace.read_augmented, []),
        augment_counts=tables.read(counts, "the counts of augmentation", workspace.read_augment_counts, {}),
        missing=tables.missing,
    )


class _TableReader:
    """Reads tables of the data, and notes those that are missing."""

    def __init__(self) -> None:
        self.missing: list[Missing] = []

    def read(self, path: Path, lacks: str, read_table: Callable[[], T], empty: T) -> T:
        """Return a table; ``empty``, and a note, if it is missing or damaged."""
        try:
            return read_table()
        except DataError as error:
            reason = error.problem.removeprefix(str(path)).strip(": ")
            self.missing.append(Missing(f"{path.parent.name}/{path.name}", lacks, reason))
            return empty

    def read_refused(self, workspace: Workspace) -> list[Quarantined]:
        """Return the rows that were set aside; a damaged table is named and costs no other step's rows."""
        rows: list[Quarantined] = []
        for folder in workspace.list_refusing_folders():
            lacks = f"the rows set aside beside {folder.name}"
            rows += self.read(folder / QUARANTINE, lacks, partial(workspace.read_refused, folder), [])
        return rows

    def read_posts(self, workspace: Workspace) -> dict[str, list[Post]]:
        """Return the posts of each split that has any."""
        posts = {split: workspace.read_posts(split) for split in SPLITS}
        if not any(posts.values()):
            self.missing.append(Missing("prepared", "the posts", "there are no prepared posts"))
        return {split: rows for split, rows in posts.items() if rows}


def build_all_slices(workspace: Workspace, task: TaskName) -> dict[str, Slices]:
    """Return the slices of each split that is not trained on, by its name."""
    training_posts = workspace.read_posts("train")
    return {split: build_slices(task, workspace.read_posts(split), training_posts) for split in SPLITS[1:]}
