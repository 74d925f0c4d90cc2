"""Read a data set of any known format into posts: recognise it, read its splits, check them, add what came along.

A row that cannot be used is set aside with a reason; only what makes the whole data set unusable raises.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cotpd.data.dataset_warnings import list_oddities
from cotpd.data.params import DataParams
from cotpd.data.picture_lookup import Pictures
from cotpd.data.readers import find, find_folder
from cotpd.data.readers.answers import Answers, read_answers
from cotpd.data.readers.captions import expand, lookup, read_captions
from cotpd.data.readers.file_format import Format, Source, name_of, refuse
from cotpd.data.readers.mnre import inventory
from cotpd.data.records import Post, Quarantined
from cotpd.data.split_checks import Splits, take_inventory, unique_ids, without_leaks
from cotpd.data.split_statistics import overlaps, split_statistics
from cotpd.errors import DataError


@dataclass(frozen=True)
class Dataset:
    """A data set as the pipeline uses it.

    Attributes:
        posts: Posts by split, in the order of their files; only splits that exist, train first.
        quarantine: Rows that were set aside, with reason, remedy, file and line.
        types: Entity types: ``data.types``, or those of train and then those that only other splits hold.
        labels: Relation labels likewise, None first where it occurs.
        stats: Counts, a JSON value: format, splits, overlaps, pictures, captions, answers, warnings.
        beyond_limit: Training posts that ``data.limit`` leaves out. Nothing is trained on them; the names in them
            may be swapped in by augment, so that a limit changes no question.
    """

    posts: Splits
    quarantine: list[Quarantined]
    types: tuple[str, ...]
    labels: tuple[str, ...]
    stats: dict[str, Any] = field(default_factory=dict)
    beyond_limit: list[Post] = field(default_factory=list)


def load_dataset(params: DataParams, root: Path = Path(), *, require_train: bool = True) -> Dataset:
    """Read the data set that ``params`` names.

    Args:
        params: The data section.
        root: What a relative ``params.path`` is relative to.
        require_train: Refuse a data set without readable training posts; a check of a single file does without.

    Raises:
        DataError: The path, the format, the train split or a companion file is missing, a file is not UTF-8, or
            ``params.types`` names nothing that occurs.
    """
    if not params.path:
        remedy = "Name its folder in params.yaml (data.path), or: cotpd preset apply sample"
        raise DataError("data.path names no data set", remedy)
    path = root / params.path
    folder = find_folder(path, params.path)
    form, files, unread = find(path, params.path, params.format, _list_companions(params, folder))
    posts, quarantine, noticed = _read_splits(form, files, root, params)
    posts, repeated = unique_ids(posts, form)
    posts, leaked = without_leaks(posts, form)
    published = inventory(folder) if form.name == "mnre" else None
    posts, outside, names = take_inventory(posts, params.types, published)
    quarantine += [*repeated, *leaked, *outside]
    if require_train:
        _need_train(posts, params.path, files, quarantine)
    stats: dict[str, Any] = {"format": form.name}
    posts = _add_companions(posts, params, folder, root, files, quarantine, stats)
    pictures = Pictures(folder, params.pictures)
    beyond = posts.get("train", [])[params.limit :] if params.limit else []
    posts = {split: [pictures.place(post) for post in rows[: params.limit]] for split, rows in posts.items()}
    stats["splits"] = {split: split_statistics(rows, noticed[split], pictures) for split, rows in posts.items()}
    stats["overlaps"] = overlaps(posts)
    stats["pictures"] = pictures.count_missing(post.image for rows in posts.values() for post in rows)
    stats["warnings"] = list_oddities(posts, stats, unread)
    return Dataset(posts, quarantine, names.types, names.labels, stats, beyond)


def _list_companions(params: DataParams, folder: Path) -> list[Path]:
    """Files of captions and answers: captions_test.jsonl is no test split."""
    patterns = {"captions": params.captions, "answers": params.answers}
    return [
        path for name, pattern in patterns.items() if pattern is not None for path in expand(folder, pattern, name)
    ]


def _read_splits(
    form: Format, files: dict[str, Path], root: Path, params: DataParams
) -> tuple[Splits, list[Quarantined], dict[str, Counter[str]]]:
    posts: Splits = {}
    quarantine: list[Quarantined] = []
    noticed: dict[str, Counter[str]] = {}
    for split, file in files.items():
        source = Source(file, name_of(file, root), split, params.offsets)
        rows = list(form.read(source))
        if not rows:
            rows.append(refuse(source, 1, "", "the file holds no post", "Fill it, or remove it."))
        posts[split] = [row for row in rows if isinstance(row, Post)]
        quarantine += [row for row in rows if isinstance(row, Quarantined)]
        noticed[split] = source.counts
    return posts, quarantine, noticed


def _need_train(posts: Splits, shown: str, files: dict[str, Path], quarantine: list[Quarantined]) -> None:
    if "train" not in posts:
        names = ", ".join(file.name for file in files.values())
        raise DataError(f"{shown}: no train split among {names}", "Name a file for it, e.g. train.jsonl.")
    if not posts["train"]:
        first = next((f"; the first: {row.file}:{row.line}: {row.reason}" for row in quarantine), "")
        raise DataError(
            f"{shown}: no training post could be used, {len(quarantine)} rows refused{first}",
            "`cotpd data check` lists them.",
        )


def _add_companions(
    posts: Splits,
    params: DataParams,
    folder: Path,
    root: Path,
    files: dict[str, Path],
    quarantine: list[Quarantined],
    stats: dict[str, Any],
) -> Splits:
    """Fill in the captions and answers that came in files of their own, and count what they match."""
    captions: dict[str, str] = {}
    answers: Answers = {}
    if params.captions is not None:
        captions, refused, counts = read_captions(folder, params.captions, root, files.values())
        matched = sum(lookup(captions, post) is not None for rows in posts.values() for post in rows)
        stats["captions"] = {**counts, "posts_with": matched, "posts_without": _total(posts) - matched}
        quarantine += refused
    if params.answers is not None:
        answers, refused, counts = read_answers(
            folder, params.answers, root, params.answers_kind, posts, files.values()
        )
        stats["answers"] = {**counts, "posts_with": len(answers), "posts_without": _total(posts) - len(answers)}
        quarantine += refused
    return {split: [_fill(post, captions, answers) for post in rows] for split, rows in posts.items()}


def _fill(post: Post, captions: dict[str, str], answers: Answers) -> Post:
    update = {
        "caption": lookup(captions, post) or post.caption,
        "knowledge": {**post.knowledge, **answers.get(post.id, {})},
    }
    return post.model_copy(update=update)


def _total(posts: Splits) -> int:
    return sum(map(len, posts.values()))
