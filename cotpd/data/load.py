"""Read a data set of any known format into posts: recognise it, read its splits, check them, add its companions.

A row that cannot be used is set aside with a reason; only a fault of the whole data set raises.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from cotpd.counts import format_count
from cotpd.data.companions import list_companion_files, read_companions
from cotpd.data.corrections import Corrections, load_corrections
from cotpd.data.dataset_warnings import list_warnings
from cotpd.data.params import DataParams
from cotpd.data.picture_lookup import PictureLookup
from cotpd.data.readers import DatasetFiles, find_dataset_files, find_folder
from cotpd.data.readers.file_format import Format, Source, refuse_row, show_path
from cotpd.data.readers.mnre import read_inventory
from cotpd.data.readers.split_files import SplitFiles
from cotpd.data.readers.tag_names import read_options
from cotpd.data.readers.values import RowError
from cotpd.data.records import Post, Quarantined, Splits, TextRule, WordSplitting, iterate_posts
from cotpd.data.split_checks import (
    Inventory,
    LabelledTask,
    build_inventory,
    list_occurring,
    make_ids_unique,
    set_leaks_aside,
)
from cotpd.data.split_drawing import hold_out_posts
from cotpd.data.split_statistics import count_shared_texts, count_split
from cotpd.data.word_reading import ReaderCounts, Reading, read_in_words, split_posts_anew
from cotpd.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """A data set as the pipeline uses it.

    Attributes:
        posts: Posts by split, in the order of their files; only splits that exist, train first.
        quarantine: Rows that were set aside, with reason, remedy, file and line.
        types: Entity types: ``data.types``, or those of train and then those that only other splits hold.
        labels: Relation labels likewise, None first if it occurs.
        classes: Labels of posts likewise.
        stats: Counts, a JSON value: format, splits, overlaps, pictures, captions, answers, warnings.
        words: How text becomes words, in this data and for every student of it.
        beyond_limit: Training posts that ``data.limit`` leaves out. No model is trained on them; augment may swap
            in their names, so that a limit changes no question.
        uncorrected: The posts that ``data.corrections`` corrects, as the data set labels them.
        is_divided: Whether ``data.held_out`` gave posts of a train split to valid and test.
    """

    posts: Splits
    quarantine: list[Quarantined]
    types: tuple[str, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...] = ()
    stats: dict[str, Any] = field(default_factory=dict)
    words: WordSplitting = field(default_factory=WordSplitting)
    beyond_limit: list[Post] = field(default_factory=list)
    uncorrected: Splits = field(default_factory=dict)
    is_divided: bool = False

    def list_label_names(self, task: LabelledTask) -> tuple[str, ...]:
        """Return the labels of a task: those that the data set holds, or that the task makes of its posts."""
        kinds = {"types": self.types, "labels": self.labels, "classes": self.classes}
        return kinds.get(task.summary_key) or list_occurring(self.posts, task.list_data_labels)

    @property
    def ignored_keys(self) -> set[str]:
        """Keys of rows that were not read."""
        names = chain.from_iterable(counts["noticed"] for counts in self.stats["splits"].values())
        return {name.partition(":")[2] for name in names if name.startswith("ignored_key:")}


def load_dataset(
    params: DataParams, root: Path = Path(), *, require_train: bool = True, words: WordSplitting | None = None
) -> Dataset:
    """Read the data set that ``params`` names.

    Args:
        params: The data section.
        root: The folder from which ``params.path`` is a path.
        require_train: Refuse a data set without readable training posts; the check of a single file does not.
        words: How text becomes words, in place of ``params.words``; words that come with the data stay.

    Raises:
        DataError: The path, the format, the train split or a companion file is missing, a file is not UTF-8, or
            ``params.types`` names nothing that occurs.
    """
    folder, (data_format, files, unread) = _find_files(params, root)
    read = partial(_read_splits, data_format, files, root, params, folder)
    reading, choice = read_in_words(read, params.words, words)
    posts, quarantine, reader_counts = hold_out_posts(reading, params.held_out)
    posts, refused, inventory = _check_splits(posts, data_format, params, folder)
    quarantine += refused
    paths = list(chain.from_iterable(files.values()))
    if require_train:
        _require_train(posts, params.path, paths, quarantine)
    companions = read_companions(params, folder, root, posts, paths)
    quarantine += companions.quarantine

    posts, refused = split_posts_anew(companions.add_to(posts), None if words else params.words)
    corrections = _read_corrections(params, folder, root, posts, inventory)
    posts, quarantine = corrections.posts, [*quarantine, *refused, *corrections.refused]
    beyond_limit = posts.get("train", [])[params.limit :] if params.limit else []
    pictures = PictureLookup(folder, params.pictures)
    posts = {split: list(map(pictures.resolve, rows[: params.limit])) for split, rows in posts.items()}
    counts = {**companions.counts, **corrections.count(posts), **_count(posts, reader_counts, pictures)}
    stats = {"format": data_format.name, "words": choice.describe(params.words), **counts}
    stats["warnings"] = list_warnings(posts, stats, unread)
    originals = corrections.list_originals(posts)
    is_divided = len(posts) > len(reading.posts)
    return Dataset(posts, quarantine, *inventory, stats, choice.words, beyond_limit, originals, is_divided)


def _find_files(params: DataParams, root: Path) -> tuple[Path, DatasetFiles]:
    """Return the folder of a data set, and its files."""
    if not params.path:
        remedy = "Name its folder in params.yaml (data.path), or: cotpd preset apply sample"
        raise DataError("data.path names no data set", remedy)
    path = root / params.path
    folder = find_folder(path, params.path)
    companion_files = [*list_companion_files(params, folder), folder / params.corrections]
    return folder, find_dataset_files(path, params.path, params.format, companion_files)


def _read_corrections(
    params: DataParams, folder: Path, root: Path, posts: Splits, inventory: Inventory
) -> Corrections:
    """Read the corrected labels, if a file of them is named, and lay them over the posts."""
    if not params.has_corrections():
        return Corrections(posts)
    file = folder / params.corrections
    return load_corrections(file, show_path(file, root), posts, inventory)


def _read_splits(
    data_format: Format, files: SplitFiles, root: Path, params: DataParams, folder: Path, rule: TextRule
) -> Reading:
    """Read every file, its text split into words by a rule; the pieces of a split are one."""
    posts: Splits = {}
    quarantine: list[Quarantined] = []
    reader_counts: ReaderCounts = {}
    options = replace(read_options(params, folder), rule=rule)
    for split, paths in files.items():
        posts[split], reader_counts[split] = [], Counter()
        for piece, path in enumerate(paths):
            source = Source(path, show_path(path, root), split, options, piece=piece)
            rows = list(data_format.read(source))
            if not rows:
                error = RowError("the file holds no post", "Fill it, or remove it.")
                rows.append(refuse_row(source, 1, "", error))
            posts[split] += [row for row in rows if isinstance(row, Post)]
            quarantine += [row for row in rows if isinstance(row, Quarantined)]
            reader_counts[split].update(source.counts)
    return Reading(posts, quarantine, reader_counts)


def _check_splits(
    posts: Splits, data_format: Format, params: DataParams, folder: Path
) -> tuple[Splits, list[Quarantined], Inventory]:
    """Set posts aside that only a look at all splits shows to be bad, and collect types and labels."""
    posts, repeated = make_ids_unique(posts, data_format)
    posts, leaked = set_leaks_aside(posts, data_format)
    published = read_inventory(folder) if data_format.name == "mnre" else None
    posts, outside, inventory = build_inventory(posts, params.types, published)
    return posts, [*repeated, *leaked, *outside], inventory


def _require_train(posts: Splits, shown: str, paths: Sequence[Path], quarantine: list[Quarantined]) -> None:
    """Raise DataError if there is no training post, with the reason for the first refused row."""
    if "train" not in posts:
        names = ", ".join(path.name for path in paths)
        raise DataError(f"{shown}: no train split among {names}", "Name a file for it, e.g. train.jsonl.")
    if not posts["train"]:
        first = next((f"; the first: {row.file}:{row.line}: {row.reason}" for row in quarantine), "")
        raise DataError(
            f"{shown}: no training post could be used, {format_count(len(quarantine), 'row')} refused{first}",
            "`cotpd data check` lists them.",
        )


def _count(posts: Splits, reader_counts: ReaderCounts, pictures: PictureLookup) -> dict[str, Any]:
    """Count the content of each split, the texts that splits share, and the missing pictures."""
    images = [post.image for post in iterate_posts(posts)]
    return {
        "splits": {split: count_split(rows, reader_counts[split], pictures) for split, rows in posts.items()},
        "overlaps": count_shared_texts(posts),
        "pictures": pictures.count_missing(images),
    }
