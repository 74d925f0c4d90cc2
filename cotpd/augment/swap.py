"""Swap one entity of a post for another of its kind, keeping everything else byte for byte.

All annotated mentions of one surface form are swapped together, so that a post does not end up speaking of two
people where it spoke of one. The tokens of the new mention are the tokenizer's; every other token keeps its
characters, shifted.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from cotpd.augment.mentions import Group, Mentions, group_of
from cotpd.data.records import Post
from cotpd.data.tokenization import tokenize

_TRIES = 20  # names drawn for an entity before another one is tried


@dataclass(frozen=True)
class Swap:
    """A post in which ``old`` became ``new``; ``group`` says what both are."""

    post: Post
    old: str
    new: str
    group: Group


def draw_swap(post: Post, mentions: Mentions, rng: random.Random) -> Swap | None:
    """Swap a drawn entity for a drawn one; None if the post has no entity that can be swapped.

    A replacement is another name (in another case is the same name) that the post does not mention yet.
    """
    surfaces = _swappable(post)
    for old in rng.sample(sorted(surfaces), len(surfaces)):
        group = surfaces[old]
        names = mentions.groups.get(group, ())
        for new in rng.sample(names, min(len(names), _TRIES)):
            if _fits(new, old, post):
                return Swap(replace(post, old, new), old, new, group)
    return None


def _fits(new: str, old: str, post: Post) -> bool:
    """Whether the post does not mention it yet, and it can stand after # or @ where the old one does."""
    words = [token.text for token in tokenize(new)]
    if f" {' '.join(words)} ".casefold() in f" {' '.join(post.tokens)} ".casefold():
        return False
    before = {post.tokens[at.start - 1] for at in post.entities if at.start and post.get_mention(at) == old}
    return len(words) == 1 or before.isdisjoint({"#", "@"})


def _swappable(post: Post) -> dict[str, Group]:
    """Surface forms with their group, without those that have two groups, none, or overlap another mention."""
    groups: dict[str, set[Group]] = {}
    for index, entity in enumerate(post.entities):
        overlapped = any(
            other is not entity and other.start < entity.end and entity.start < other.end
            for other in post.entities
        )
        group = () if overlapped else group_of(post, index, entity)
        groups.setdefault(post.get_mention(entity), set()).add(group)
    return {surface: next(iter(found)) for surface, found in groups.items() if len(found) == 1 and found != {()}}


def replace(post: Post, old: str, new: str) -> Post:
    """The post with every entity whose mention is ``old`` now being ``new``.

    No such entity may overlap another one. Order and relations of the entities stay.
    """
    swapped = {entity.start: entity.end for entity in post.entities if post.get_mention(entity) == old}
    pieces = [(token.start, token.end) for token in tokenize(new)]
    text, offsets, read, index = "", [], 0, 0
    moved: dict[int, int] = {}  # token index in the old post: in the new one
    while index < len(post.tokens):
        moved[index] = len(offsets)
        after = swapped.get(index, index + 1)
        start, end = post.offsets[index][0], post.offsets[after - 1][1]
        text += post.text[read:start]
        words, spans = (new, pieces) if index in swapped else (post.text[start:end], [(0, end - start)])
        offsets += [(len(text) + first, len(text) + last) for first, last in spans]
        text += words
        read, index = end, after
    moved[index] = len(offsets)
    text += post.text[read:]
    return _rebuilt(post, text, offsets, moved)


def _rebuilt(post: Post, text: str, offsets: Sequence[tuple[int, int]], moved: dict[int, int]) -> Post:
    entities = tuple(
        entity.model_copy(update={"start": moved[entity.start], "end": moved[entity.end]})
        for entity in post.entities
    )
    tokens = tuple(text[start:end] for start, end in offsets)
    update = {"text": text, "tokens": tokens, "offsets": tuple(offsets), "entities": entities}
    return Post.model_validate(post.model_copy(update=update).model_dump())
