"""The changes that a cell may make to a data set's tables: each function returns new tables.

Draws depend on a post's id alone. The same share holds the same posts in every cell, and larger shares hold
smaller ones, so that two cells differ in nothing but what they say.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from cotpd.data.records import Augmented, Kind, Post, iterate_posts
from cotpd.pipeline.workspace import UNLABELLED
from cotpd.studies.study import Changes, DataSet

Answers = Mapping[str, Mapping[Kind, str]]
MASK = "…"
T = TypeVar("T")


@dataclass(frozen=True)
class Tables:
    """The tables of a data set that a study reads.

    Attributes:
        types: Entity types, relation labels or labels of posts to learn.
        posts: Posts by split, and posts without labels under UNLABELLED.
        captions: By post id.
        knowledge: Answers by post id and kind.
        augmented: Further training posts.
    """

    types: tuple[str, ...]
    posts: Mapping[str, Sequence[Post]]
    captions: Mapping[str, str]
    knowledge: Answers
    augmented: Sequence[Augmented]


def select_data_set(tables: Tables, data_set: DataSet) -> Tables:
    """Return the tables of one half of the topics, if the data set asks for that, with its labels renamed."""
    return rename_types(select_topics(tables, data_set.topics), data_set.types)


def apply_changes(tables: Tables, changes: Changes) -> Tables:
    """Return the tables with all changes of a cell."""
    tables = change_knowledge(tables, changes)
    augmented = [row for row in tables.augmented if row.kind.value in changes.augmented]
    if not changes.caption:
        augmented = [row.model_copy(update={"caption": None}) for row in augmented]
        tables = replace(tables, captions={})
    return change_labels(replace(tables, augmented=augmented), changes)


def select_topics(tables: Tables, topics: str) -> Tables:
    """Return the posts of one half of the pictures; a post without a picture is a topic of its own."""
    if topics == "all":
        return tables
    names = sorted(set(map(_name_topic, iterate_posts(tables.posts))))
    middle = len(names) // 2
    chosen = set(names[:middle] if topics == "first" else names[middle:])
    posts = {}
    for split, rows in tables.posts.items():
        posts[split] = [post for post in rows if _name_topic(post) in chosen]
    return _keep_augmented(replace(tables, posts=posts))


def _name_topic(post: Post) -> str:
    return post.image or f"post {post.id}"


def rename_types(tables: Tables, names: Mapping[str, str]) -> Tables:
    """Return the tables with entity types, relation labels and labels of posts renamed."""
    if not names:
        return tables
    posts = {}
    for split, rows in tables.posts.items():
        posts[split] = [_rename_post(post, names) for post in rows]
    augmented = [row.model_copy(update={"post": _rename_post(row.post, names)}) for row in tables.augmented]
    types = tuple(dict.fromkeys(names.get(name, name) for name in tables.types))
    return replace(tables, types=types, posts=posts, augmented=augmented)


def _rename_post(post: Post, names: Mapping[str, str]) -> Post:
    entities = [
        entity.model_copy(update={"type": names.get(entity.type, entity.type)}) if entity.type else entity
        for entity in post.entities
    ]
    relations = [
        relation.model_copy(update={"label": names.get(relation.label, relation.label)})
        for relation in post.relations
    ]
    label = names.get(post.label or "", post.label)
    return post.model_copy(update={"entities": tuple(entities), "relations": tuple(relations), "label": label})


def change_labels(tables: Tables, changes: Changes) -> Tables:
    """Return the tables with a share of the labels and a share of the unlabelled posts."""
    train, unlabelled = tables.posts.get("train", ()), tables.posts.get(UNLABELLED, ())
    labelled, remainder = _draw(train, changes.labels, least=1)
    unlabelled, _ = _draw(unlabelled, changes.unlabelled)
    if changes.remainder == "unlabelled":
        unlabelled = [*unlabelled, *remainder]
    return _keep_augmented(replace(tables, posts={**tables.posts, "train": labelled, UNLABELLED: unlabelled}))


def _draw(posts: Sequence[Post], share: float, least: int = 0) -> tuple[list[Post], list[Post]]:
    """Return a share of the posts and the remainder, both in their order."""
    count = max(round(share * len(posts)), least)
    chosen = {post.id for post in sorted(posts, key=lambda post: _rank(post.id))[:count]}
    return [post for post in posts if post.id in chosen], [post for post in posts if post.id not in chosen]


def _rank(post_id: str) -> str:
    return hashlib.sha256(post_id.encode()).hexdigest()


def _keep_augmented(tables: Tables) -> Tables:
    """Return the tables without the augmented posts whose source has lost its labels."""
    sources = {post.id for post in tables.posts.get("train", ())}
    return replace(tables, augmented=[row for row in tables.augmented if row.of in sources])


def change_knowledge(tables: Tables, changes: Changes) -> Tables:
    """Return the tables with the kinds that stay, degraded as the changes say."""
    answers = {
        post_id: {kind: text for kind, text in row.items() if kind.value in changes.kinds}
        for post_id, row in tables.knowledge.items()
    }
    degrade = DEGRADATIONS[changes.knowledge]
    return replace(tables, knowledge=degrade(answers, tables))


def shuffle_answers(answers: Answers, tables: Tables) -> Answers:
    """Return each post's answers at another post of its split, drawn once and for all."""
    shuffled: dict[str, Mapping[Kind, str]] = dict(answers)
    for posts in tables.posts.values():
        names = sorted((post.id for post in posts if answers.get(post.id)), key=_rank)
        shuffled |= {name: answers[source] for name, source in zip(names, _put_first_last(names), strict=True)}
    return shuffled


def _put_first_last(values: Sequence[T]) -> Sequence[T]:
    return [*values[1:], *values[:1]]


def truncate_answers(answers: Answers, _tables: Tables) -> Answers:
    """Return the first half of each answer's words."""
    return _rewrite(answers, lambda _, text: " ".join(text.split()[: (len(text.split()) + 1) // 2]))


def mask_answers(answers: Answers, tables: Tables) -> Answers:
    """Return the answers without the mentions of their posts, and without their capitalised words where labels are
    not read."""
    patterns = {}
    for split, posts in tables.posts.items():
        for post in posts:
            names = _list_capitalised(post) if split == UNLABELLED else map(post.get_mention, post.entities)
            patterns[post.id] = _build_pattern(names)
    return _rewrite(answers, lambda post_id, text: _mask(patterns.get(post_id), text))


def _list_capitalised(post: Post) -> list[str]:
    return [token for token in post.tokens if token[:1].isupper()]


def _build_pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern for any of some names as whole words, in any case; None without a name."""
    longest_first = sorted({name for name in names if name.strip()}, key=lambda name: (-len(name), name))
    alternatives = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)", re.IGNORECASE) if alternatives else None


def _mask(pattern: re.Pattern[str] | None, text: str) -> str:
    return pattern.sub(MASK, text) if pattern else text


def repeat_answers(answers: Answers, tables: Tables) -> Answers:
    """Return one training post's answer of each kind for every post that has one of that kind."""
    shared: dict[Kind, str] = {}
    for post in sorted(tables.posts.get("train", ()), key=lambda post: _rank(post.id)):
        shared = {**answers.get(post.id, {}), **shared}
    repeated = {}
    for post_id, row in answers.items():
        repeated[post_id] = {kind: shared.get(kind, text) for kind, text in row.items()}
    return repeated


def _rewrite(answers: Answers, rewrite: Callable[[str, str], str]) -> Answers:
    """Return the answers rewritten, each from its post's id and its text."""
    rewritten = {}
    for post_id, row in answers.items():
        rewritten[post_id] = {kind: rewrite(post_id, text) for kind, text in row.items()}
    return rewritten


DEGRADATIONS: dict[str, Callable[[Answers, Tables], Answers]] = {
    "intact": lambda answers, _: answers,
    "shuffled": shuffle_answers,
    "truncated": truncate_answers,
    "masked": mask_answers,
    "constant": repeat_answers,
}
