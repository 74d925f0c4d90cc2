"""The held-out posts on which the gate compares two models: from the workspace, or from a path."""

import hashlib
from pathlib import Path
from typing import NamedTuple

from cotpd.counts import format_count
from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import Post, WordSplitting
from cotpd.data.tables import read_table
from cotpd.errors import DataError
from cotpd.files import compute_sha256
from cotpd.student.examples import Example, build_examples
from cotpd.student.tasks import TaskName, find_task

SPLIT = "test"


class HeldOut(NamedTuple):
    """Annotated posts.

    Attributes:
        posts: In the order of their file.
        source: Where they came from.
        sha256: The digest of their prepared table, or of the posts themselves where they have none.
        refused: Rows of the data set that could not be read as posts.
        problem: Why there are no posts; empty if there are.
    """

    posts: list[Post]
    source: str
    sha256: str
    refused: int = 0
    problem: str = ""

    def build_examples(self, task: TaskName) -> list[Example]:
        """Return the examples of the posts, text alone.

        Raises:
            DataError: Not one of them is annotated for the task, or a mention of ner has no type.
        """
        definition = find_task(task)
        labelled = [post for post in self.posts if not definition.find_fault(post)]
        examples = build_examples(labelled, task, {}, {})
        if not any(example.entities or example.label for example in examples):
            raise DataError(
                f"{self.source}: {format_count(len(self.posts), 'post')}, none annotated for task {task}",
                "Name annotated posts: cotpd promote --posts PATH.",
            )
        return examples


def read_held_out(path: Path, words: WordSplitting | None = None) -> HeldOut:
    """Read held-out posts.

    Args:
        path: A prepared table (data/prepared/test.jsonl), a folder of such tables, or a data set of any format
            that cotpd reads: a folder or a file. Of a data set with splits the test split is taken.
        words: How the challenger reads the text of a data set; prepared tables have their words.

    Raises:
        DataError: There is no such path, no such split, or not one post in it.
    """
    table = path / f"{SPLIT}.jsonl" if (path / "summary.json").is_file() else path
    held_out = _read_prepared(table) if _is_prepared(table) else _read_dataset(path, words)
    if not held_out.posts:
        raise DataError(f"{held_out.source}: there is no post in it", "Name a data set with posts: --posts PATH.")
    return held_out


def _is_prepared(path: Path) -> bool:
    """Whether a file is a table of the prepare step, or would be if it were there and not empty."""
    is_missing = path.parent.name == "prepared" and not path.exists()  # prepare has not run in this folder
    if path.suffix == ".jsonl" and (is_missing or path.parent.joinpath("summary.json").is_file()):
        return True
    if not path.is_file() or path.suffix != ".jsonl":
        return False
    with path.open("rb") as lines:
        first = next((line for line in lines if line.strip()), b"")
    return b'"offsets":' in first and b'"tokens":' in first


def _read_prepared(table: Path) -> HeldOut:
    if not table.is_file():
        raise DataError(
            f"{table}: there is no such table: the data set has no {table.stem} split, or prepare has not run",
            "Run dvc repro prepare, or name other annotated posts: cotpd promote --posts PATH.",
        )
    return HeldOut(read_table(table, Post), str(table), compute_sha256(table))


def _read_dataset(path: Path, words: WordSplitting | None) -> HeldOut:
    dataset = load_dataset(DataParams(path=str(path)), require_train=False, words=words)
    splits = dataset.posts
    if SPLIT not in splits and len(splits) > 1:
        names = ", ".join(splits)
        raise DataError(f"{path}: no {SPLIT} split among {names}", f"Name the file of one: --posts {path}/NAME.")
    posts = splits[SPLIT] if SPLIT in splits else next(iter(splits.values()), [])
    digest = hashlib.sha256()
    for post in posts:
        digest.update(post.model_dump_json(exclude={"file", "line"}).encode("utf-8", "surrogatepass") + b"\n")
    return HeldOut(posts, str(path), digest.hexdigest(), len(dataset.quarantine))
