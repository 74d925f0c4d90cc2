"""What only all splits together can show: repeated ids, training texts that are tested on, unknown labels.

Trade-off: the splits of a published benchmark stay as published, faults included (texts that stand in two splits,
types that only test holds), because a score on a cleaned split compares with nothing; the faults are counted and
warned of. In data of one's own (jsonl) a training post whose text stands in valid or test is set aside instead.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from cotpd.data.readers.file_format import STEP, Format
from cotpd.data.records import NO_RELATION, Post, Quarantined
from cotpd.data.split_statistics import text_key
from cotpd.errors import DataError

Splits = dict[str, list[Post]]
Task = Literal["ner", "re"]


class Inventory(NamedTuple):
    """Entity types and relation labels, in the order in which a model numbers them."""

    types: tuple[str, ...]
    labels: tuple[str, ...]


def set_aside(post: Post, reason: str, remedy: str) -> Quarantined:
    """The record of a post that could be read but not kept."""
    return Quarantined(
        id=post.id, step=STEP, reason=reason, remedy=remedy, file=post.file, line=post.line, row=post.text
    )


def unique_ids(posts: Splits, form: Format) -> tuple[Splits, list[Quarantined]]:
    """Make ids unique over all splits, because every table is keyed by them.

    Where posts are named by their picture the second one becomes ``id#2``: several posts may show one picture.
    Elsewhere a repeated id is a mistake, and the later row is set aside.
    """
    first: dict[str, Post] = {}
    times: Counter[str] = Counter()
    kept: Splits = {split: [] for split in posts}
    repeated: list[Quarantined] = []
    for split, rows in posts.items():
        for post in rows:
            times[post.id] += 1
            other = first.setdefault(post.id, post)
            if other is post:
                kept[split].append(post)
            elif form.image_ids:
                kept[split].append(post.model_copy(update={"id": f"{post.id}#{times[post.id]}"}))
            else:
                reason = f"the id {post.id!r} is already that of {other.file}:{other.line}"
                repeated.append(set_aside(post, reason, "Give each post an id of its own."))
    return kept, repeated


def without_leaks(posts: Splits, form: Format) -> tuple[Splits, list[Quarantined]]:
    """Set training posts aside whose text is also in valid or test; published splits stay as they are."""
    if form.published or "train" not in posts:
        return posts, []
    held_out = {text_key(post): post for split in ("test", "valid") for post in posts.get(split, [])}
    kept, leaked = [], []
    for post in posts["train"]:
        other = held_out.get(text_key(post))
        if other is None:
            kept.append(post)
        else:
            reason = f"its text is also that of {other.file}:{other.line}, which is not to be trained on"
            leaked.append(set_aside(post, reason, "Keep it in one split only."))
    return {**posts, "train": kept}, leaked


def take_inventory(
    posts: Splits, allowed: tuple[str, ...] | None, published: tuple[str, ...] | None
) -> tuple[Splits, list[Quarantined], Inventory]:
    """Entity types and relation labels, and the posts that hold no others.

    Args:
        posts: Posts by split, train first.
        allowed: ``data.types``; meant for the entity types or the relation labels, whichever it names any of.
        published: Relation labels that the release itself lists.

    Without ``allowed``, names that train lacks follow those of train, and their posts stay: a model can never
    predict them, and its score has to say so.

    Raises:
        DataError: ``allowed`` names nothing that occurs.
    """
    types, labels = _occurring(posts, types_of), _occurring(posts, labels_of)
    outside: list[Quarantined] = []
    if allowed is not None:
        if types and not set(allowed).isdisjoint(types):
            posts, types = _within(posts, allowed, types_of, outside), allowed
        elif labels and not set(allowed).isdisjoint(labels):
            posts, labels = _within(posts, allowed, labels_of, outside), allowed
        elif types or labels:
            raise DataError(
                f"data.types: none of {', '.join(allowed)} occurs",
                f"The data holds {', '.join([*types, *labels])}.",
            )
    elif published is not None:
        labels = published
    ordered = tuple(
        sorted(labels, key=lambda label: label != NO_RELATION)
    )  # stable: None first, others as they were
    return posts, outside, Inventory(types, ordered)


def unseen_in_train(posts: Splits) -> list[str]:
    """Types and labels that train does not hold but another split does."""
    found = []
    for names in (types_of, labels_of):
        known = set(_occurring({"train": posts.get("train", [])}, names))
        found += [name for name in _occurring(posts, names) if name not in known]
    return found if "train" in posts else []


def has_task_labels(posts: Splits, task: Task) -> bool:
    """Whether any training post is annotated for a task."""
    names = types_of if task == "ner" else labels_of
    return any(name for post in posts.get("train", []) for name in names(post))


def require_task_labels(posts: Splits, task: Task, shown: str) -> None:
    """Refuse a data set whose training posts are not annotated for the task, before anything is paid for.

    Args:
        posts: Posts by split.
        task: The task.
        shown: How messages call the data set.

    Raises:
        DataError: Not one of them is; the message names the key that was expected.
    """
    if has_task_labels(posts, task):
        return
    second_task: Task = "re" if task == "ner" else "ner"
    expected = 'an entity\'s "type"' if task == "ner" else '"relations" with a "label"'
    fits_second = has_task_labels(posts, second_task)
    remedy = f"Set task: {second_task}, for which it is annotated." if fits_second else "Annotate it first."
    raise DataError(f"{shown}: no training post is annotated for task {task}: {expected} is nowhere", remedy)


def types_of(post: Post) -> Iterable[str]:
    """The entity types of a post."""
    return (entity.type for entity in post.entities if entity.type)


def labels_of(post: Post) -> Iterable[str]:
    """The relation labels of a post."""
    return (relation.label for relation in post.relations)


def _occurring(posts: Splits, names: Callable[[Post], Iterable[str]]) -> tuple[str, ...]:
    """Names by split, train's first, sorted within each."""
    found: dict[str, None] = {}
    for rows in posts.values():
        found |= dict.fromkeys(sorted({name for post in rows for name in names(post)}))
    return tuple(found)


def _within(
    posts: Splits,
    allowed: tuple[str, ...],
    names: Callable[[Post], Iterable[str]],
    outside: list[Quarantined],
) -> Splits:
    kept: Splits = {split: [] for split in posts}
    for split, rows in posts.items():
        for post in rows:
            wrong = sorted(set(names(post)) - set(allowed))
            if wrong:
                reason = f"{', '.join(wrong)} is outside data.types ({', '.join(allowed)})"
                outside.append(set_aside(post, reason, "Mend the annotation, or add it to data.types."))
            else:
                kept[split].append(post)
    return kept
