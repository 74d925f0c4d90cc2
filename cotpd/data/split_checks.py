"""Checks that need all splits together: repeated ids, training texts that are tested on, unknown labels.

Trade-off: the splits of a published benchmark stay as published, faults included (texts that stand in two splits,
types that only test holds), because a score on a cleaned split compares with nothing. The faults are counted and
warned of. In the user's own data (jsonl) a training post whose text stands in valid or test is set aside.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from typing import ClassVar, NamedTuple, Protocol

from cotpd.data.readers.file_format import STEP, Format
from cotpd.data.readers.key_names import find_label_alias
from cotpd.data.records import NO_RELATION, Post, Quarantined, Splits, TaskName
from cotpd.data.split_statistics import normalize_text
from cotpd.errors import DataError

ListLabels = Callable[[Post], Iterable[str]]


class Inventory(NamedTuple):
    """Entity types, relation labels and labels of posts, in the order in which a model numbers them."""

    types: tuple[str, ...]
    labels: tuple[str, ...]
    classes: tuple[str, ...] = ()


class LabelledTask(Protocol):
    """The part of a task of :mod:`cotpd.student.tasks` that knows its labels in a data set."""

    name: ClassVar[TaskName]
    annotation_key: ClassVar[str]
    summary_key: ClassVar[str]

    def list_data_labels(self, post: Post) -> Iterable[str]:
        """Return each label that a post is annotated with."""
        ...

    def prepare_post(self, post: Post) -> Post | None:
        """Return a post as the steps read it; None if it holds nothing that this task reads."""
        ...

    def find_fault(self, post: Post) -> str:
        """Return why a labelled split cannot hold the post; nothing if it can."""
        ...


def set_aside(post: Post, reason: str, remedy: str) -> Quarantined:
    """Build the quarantine row of a post that was read, and is not used."""
    return Quarantined(
        id=post.id, step=STEP, reason=reason, remedy=remedy, file=post.file, line=post.line, row=post.text
    )


def make_ids_unique(posts: Splits, data_format: Format) -> tuple[Splits, list[Quarantined]]:
    """Make ids unique over all splits, because every table is keyed by them.

    In formats that name a post by its picture, the second post of a picture becomes ``id#2``. Where a tool
    numbers the posts of each file, a number of another file becomes ``split:id``. In the others a repeated id is a
    mistake, and the later row is set aside.
    """
    first_posts: dict[str, Post] = {}
    occurrences: Counter[str] = Counter()
    unique: Splits = {split: [] for split in posts}
    repeated: list[Quarantined] = []
    for split, rows in posts.items():
        for post in rows:
            occurrences[post.id] += 1
            first = first_posts.setdefault(post.id, post)
            if first is post:
                unique[split].append(post)
            elif data_format.image_ids:
                unique[split].append(post.model_copy(update={"id": f"{post.id}#{occurrences[post.id]}"}))
            elif data_format.tool_ids and post.file != first.file:
                unique[split].append(post.model_copy(update={"id": f"{split}:{post.id}"}))
            else:
                reason = f"the id {post.id!r} is already that of {first.file}:{first.line}"
                repeated.append(set_aside(post, reason, "Give each post an id of its own."))
    return unique, repeated


def set_leaks_aside(posts: Splits, data_format: Format) -> tuple[Splits, list[Quarantined]]:
    """Set training posts aside whose text is also in valid or test; published splits stay as they are."""
    if data_format.published or "train" not in posts:
        return posts, []

    held_out = {normalize_text(post): post for post in (*posts.get("test", []), *posts.get("valid", []))}
    train, leaked = [], []
    for post in posts["train"]:
        twin = held_out.get(normalize_text(post))
        if twin is None:
            train.append(post)
        else:
            reason = f"its text is also that of {twin.file}:{twin.line}, which is not to be trained on"
            leaked.append(set_aside(post, reason, "Keep it in one split only."))
    return {**posts, "train": train}, leaked


def build_inventory(
    posts: Splits, allowed: tuple[str, ...] | None, published: tuple[str, ...] | None
) -> tuple[Splits, list[Quarantined], Inventory]:
    """Collect types and labels, and set posts aside that hold one which is not allowed.

    Args:
        posts: Posts by split, train first.
        allowed: ``data.types``. If it names an entity type that occurs, it restricts the types; otherwise the
            relation labels, or if it names none of them, the labels of posts. If it is None, names that train
            lacks follow those of train, and their posts stay: a model can never predict these names, and its
            score has to show it.
        published: The relation labels that the release lists; they count only if ``allowed`` is None.

    Raises:
        DataError: ``allowed`` names nothing that occurs.
    """
    types, labels, classes = (list_occurring(posts, list_names) for list_names in _LISTS.values())
    refused: list[Quarantined] = []
    if allowed is None:
        labels = labels if published is None else published
    elif not set(allowed).isdisjoint(types):
        posts, refused = _refuse_labels_outside(posts, allowed, Post.list_types)
        types = allowed
    elif not set(allowed).isdisjoint(labels):
        posts, refused = _refuse_labels_outside(posts, allowed, Post.list_labels)
        labels = allowed
    elif not set(allowed).isdisjoint(classes):
        posts, refused = _refuse_labels_outside(posts, allowed, Post.list_classes)
        classes = allowed
    elif types or labels or classes:
        remedy = f"The data holds {', '.join([*types, *labels, *classes])}."
        raise DataError(f"data.types: none of {', '.join(allowed)} occurs", remedy)

    none_first = sorted(labels, key=lambda label: label != NO_RELATION)  # stable: the order of the others stays
    return posts, refused, Inventory(types, tuple(none_first), classes)


def list_unseen_labels(posts: Splits) -> list[str]:
    """List the types and labels that another split holds and train does not; none if there is no train."""
    if "train" not in posts:
        return []
    unseen: list[str] = []
    for list_names in _LISTS.values():
        trained = set(list_occurring({"train": posts["train"]}, list_names))
        unseen += [name for name in list_occurring(posts, list_names) if name not in trained]
    return unseen


def list_twin_labels(posts: Splits) -> list[tuple[str, ...]]:
    """List the types or labels that differ in nothing but letter case, blanks and Unicode forms, each sorted."""
    twins: list[tuple[str, ...]] = []
    for list_names in _LISTS.values():
        spellings: dict[str, list[str]] = {}
        for name in sorted(list_occurring(posts, list_names)):
            plain = unicodedata.normalize("NFKC", "".join(name.split())).casefold()
            spellings.setdefault(plain, []).append(name)
        twins += [tuple(names) for names in spellings.values() if len(names) > 1]
    return twins


def has_labels(posts: Iterable[Post], list_names: ListLabels) -> bool:
    """Whether any post is annotated with a name."""
    return any(any(list_names(post)) for post in posts)


def set_faulty_aside(posts: Splits, task: LabelledTask) -> tuple[Splits, list[Quarantined]]:
    """Set posts aside that a task cannot learn from or be scored on, such as one without the label of a post."""
    accepted: Splits = {split: [] for split in posts}
    faulty = []
    for split, rows in posts.items():
        for post in rows:
            if fault := task.find_fault(post):
                remedy = f"Give it {task.annotation_key}, or name its file in data.unlabelled."
                faulty.append(set_aside(post, fault, remedy))
            else:
                accepted[split].append(post)
    return accepted, faulty


def select_usable(posts: Iterable[Post], task: LabelledTask) -> list[Post]:
    """Return the posts that hold what a task reads, such as a pair, without the labels of other tasks."""
    prepared = map(task.prepare_post, posts)
    return [post for post in prepared if post is not None]


def has_annotation(posts: Iterable[Post]) -> bool:
    """Whether any post is annotated with a type or a label."""
    posts = list(posts)
    return any(has_labels(posts, list_names) for list_names in _LISTS.values())


def require_task_labels(posts: Splits, task: LabelledTask, shown: str, ignored_keys: Iterable[str] = ()) -> None:
    """Refuse a data set whose training posts are not annotated for the task, before anything is paid for.

    Args:
        posts: Posts by split.
        task: The task.
        shown: The name of the data set in messages.
        ignored_keys: Keys of its rows that were not read.

    Raises:
        DataError: No training post is annotated; the message names the key that was expected.
    """
    train = posts.get("train", [])
    if has_labels(train, task.list_data_labels):
        return
    fitting = next((name for name, list_names in _LISTS.items() if has_labels(train, list_names)), None)
    remedy = f"Set task: {fitting}, for which it is annotated." if fitting else "Annotate it first."
    alias = find_label_alias(ignored_keys) if task.annotation_key == '"label"' else None
    raise DataError(
        f"{shown}: no training post is annotated for task {task.name}: {task.annotation_key} is nowhere",
        f"Rename {alias!r} to 'label'." if alias else remedy,
    )


# The three kinds of labels that a post can hold, by the task to suggest for data that hold no other.
_LISTS: dict[TaskName, ListLabels] = {
    "ner": Post.list_types,
    "re": Post.list_labels,
    "sentiment": Post.list_classes,
}


def list_occurring(posts: Splits, list_names: ListLabels) -> tuple[str, ...]:
    """List the names that occur, split by split, sorted within each split."""
    names: dict[str, None] = {}
    for rows in posts.values():
        names |= dict.fromkeys(sorted(set(chain.from_iterable(map(list_names, rows)))))
    return tuple(names)


def _refuse_labels_outside(
    posts: Splits, allowed: tuple[str, ...], list_names: ListLabels
) -> tuple[Splits, list[Quarantined]]:
    """Set posts aside that hold a name which is not allowed."""
    accepted: Splits = {split: [] for split in posts}
    refused = []
    for split, rows in posts.items():
        for post in rows:
            outside = sorted(set(list_names(post)) - set(allowed))
            if outside:
                reason = f"{', '.join(outside)} is outside data.types ({', '.join(allowed)})"
                refused.append(set_aside(post, reason, "Mend the annotation, or add it to data.types."))
            else:
                accepted[split].append(post)
    return accepted, refused
