"""Folds for cross-fitted teachers: a post is taught by teachers that never saw it (Dao et al., ICLR 2021).

A teacher asked about a post that it was trained on gives back the label that it has learnt by heart, not what the
knowledge says. Trade-off: each of K folds costs a training of a teacher on the other posts, so that all of them
cost as much as K - 1 teachers, and each has learnt from 1/K fewer posts.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from pydantic import Field, ValidationError

from cotpd.data.post_hashes import Groups, group_near_texts
from cotpd.data.records import Augmented, Post, Record, TaskName
from cotpd.data.tables import write_json
from cotpd.errors import DataError
from cotpd.pipeline.workspace import UNLABELLED, Workspace
from cotpd.student.examples import Example
from cotpd.student.tasks import find_task

NEAR = 0.5  # of word pairs; below the gate's 0.6, since a post too many in a group costs nothing
FOLDS = "folds.json"  # beside the soft targets of cross-fitted teachers


class Folds(Record):
    """Which examples each of the cross-fitted trainings of a teacher leaves out.

    Attributes:
        count: Folds.
        examples: The fold of each training example by its id, and of examples without labels that are near one;
            other examples without labels are in no fold.
    """

    count: int = Field(ge=2)
    examples: dict[str, int]

    def select_training(self, examples: Sequence[Example], fold: int) -> list[Example]:
        """Return the examples that the training without a fold learns from."""
        return [example for example in examples if self.examples.get(example.id) != fold]

    def list_withheld(self, fold: int) -> frozenset[str]:
        """Return the ids of the examples that the training without a fold must not be asked about."""
        return frozenset(name for name, number in self.examples.items() if number != fold)

    def list_all_withheld(self, teachers: int) -> list[frozenset[str]]:
        """Return these ids for each training of some teachers, in the order in which they are trained."""
        return [self.list_withheld(fold) for fold in range(self.count)] * teachers


def read_folds(workspace: Workspace, task: TaskName, count: int, seed: int) -> Folds | None:
    """Cut the training posts of a workspace into folds; None for fewer than two of them.

    Raises:
        DataError: There are fewer groups of posts than folds.
    """
    if count < 2:
        return None
    unlabelled = [find_task(task).drop_gold(post) for post in workspace.read_posts(UNLABELLED)]
    return draw_folds(workspace.read_posts("train"), workspace.read_augmented(), unlabelled, task, count, seed)


def draw_folds(
    train: Sequence[Post],
    augmented: Sequence[Augmented],
    unlabelled: Sequence[Post],
    task: TaskName,
    count: int,
    seed: int,
) -> Folds:
    """Cut training posts into folds whose posts have nothing to do with those of other folds.

    A post, what was made from it, and near posts are one group and stay together. A group counts as one of its
    rarest label, and each fold gets as many groups of each label as the others, as far as that goes.

    Args:
        train: Labelled posts.
        augmented: Further ones that were made from them.
        unlabelled: Posts that the teachers are only asked about; one near a training post joins its group.
        task: Says what an example is, and which labels it has.
        count: Folds, at least 2.
        seed: The seed of the draw.

    Raises:
        DataError: There are fewer groups than folds.
    """
    posts = [*train, *(row.post for row in augmented), *unlabelled]
    groups = _group_posts(posts, train, augmented)
    drawn = _draw_groups(_list_members(posts[: len(train) + len(augmented)], groups, task), count, seed)
    if len(drawn) < count:
        raise DataError(
            f"teach.folds: {count} folds, and the training posts are {len(drawn)} groups of near posts",
            "Set fewer folds, or 0 for teachers of all posts.",
        )
    examples: dict[str, int] = {}
    for post, group in zip(posts, groups, strict=True):
        if group in drawn:
            examples |= dict.fromkeys((gold.id for gold in find_task(task).read_gold(post)), drawn[group])
    return Folds(count=count, examples=examples)


class _Member(NamedTuple):
    """A training post of a group."""

    id: str
    labels: frozenset[str]


_get_labels = attrgetter("labels")


class _Label(NamedTuple):
    """A label, and how many groups have it."""

    groups: int
    label: str


def _group_posts(posts: Sequence[Post], train: Sequence[Post], augmented: Sequence[Augmented]) -> list[int]:
    """Return a group number for each post: near ones share it, and an augmented one has that of its source."""
    numbers = {post.id: number for number, post in enumerate(train)}
    groups = Groups(len(posts))
    for number, group in enumerate(group_near_texts([post.text for post in posts], NEAR)):
        groups.join(number, group)
    for number, row in enumerate(augmented, len(train)):
        groups.join(number, numbers.get(row.of, number))
    return [groups.find(number) for number in range(len(posts))]


def _list_members(posts: Sequence[Post], groups: Sequence[int], task: TaskName) -> Mapping[int, list[_Member]]:
    """Return the training posts of each group, with their labels."""
    members = defaultdict(list)
    for post, group in zip(posts, groups, strict=False):
        members[group].append(_Member(post.id, _list_labels(post, task)))
    return members


def _list_labels(post: Post, task: TaskName) -> frozenset[str]:
    labels: set[str | None] = set()
    for gold in find_task(task).read_gold(post):
        labels |= {gold.label, *(entity.type for entity in gold.entities)}
    return frozenset(label for label in labels if label)


def _draw_groups(members: Mapping[int, list[_Member]], count: int, seed: int) -> dict[int, int]:
    """Return the fold of each group: the one with the fewest groups of its rarest label, or else the emptiest."""
    rarest = _find_rarest_labels(members)
    order = sorted(members, key=lambda group: (*rarest[group], _compute_rank(members[group], seed)))
    folds: dict[int, int] = {}
    sizes, of_label = Counter[int](), Counter[tuple[str, int]]()
    for group in order:
        label = rarest[group].label
        fold = min(range(count), key=lambda number: (of_label[label, number], sizes[number], number))
        folds[group] = fold
        sizes[fold] += len(members[group])
        of_label[label, fold] += 1
    return folds


def _find_rarest_labels(members: Mapping[int, list[_Member]]) -> dict[int, _Label]:
    """Return the rarest label of each group; a group without any has "", which is the rarest of all."""
    labels = {group: frozenset[str]().union(*map(_get_labels, rows)) for group, rows in members.items()}
    counts = Counter(chain.from_iterable(labels.values()))
    rarest = {}
    for group, names in labels.items():
        rarest[group] = min((_Label(counts[name], name) for name in names), default=_Label(0, ""))
    return rarest


def _compute_rank(members: Iterable[_Member], seed: int) -> str:
    """Return a random order's key that depends on the posts of a group alone."""
    first = min(member.id for member in members)
    return hashlib.sha256(f"{seed} {first}".encode("utf-8", "surrogatepass")).hexdigest()


def write_folds(folds: Folds | None, folder: Path) -> None:
    """Write the folds beside the soft targets; without any, remove those of an earlier run."""
    if folds is None:
        (folder / FOLDS).unlink(missing_ok=True)
    else:
        write_json(folder / FOLDS, folds.model_dump(mode="json"))


def load_folds(folder: Path) -> Folds | None:
    """Return the folds that :func:`write_folds` wrote beside soft targets; None if their teachers have none.

    Raises:
        DataError: The file is damaged.
    """
    try:
        return Folds.model_validate_json((folder / FOLDS).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ValidationError, UnicodeDecodeError):
        raise DataError(
            f"{folder / FOLDS}: not what teach writes", "Run it again: dvc repro -f -s teach"
        ) from None
