"""Swap one entity of a post for another of its group, and leave every other byte as it is.

All annotated mentions of one surface form are swapped together, so that a post does not end up speaking of two
people where it spoke of one. The new mention has the words that the data's rule makes; every other token keeps its
characters, shifted.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cotpd.augment.mentions import Group, Mentions, find_group
from cotpd.data.records import Entity, Post, Span, TextRule
from cotpd.data.tokenization import tokenize

_MAX_TRIES = 20  # replacements drawn for an entity before another entity is tried


@dataclass(frozen=True)
class Swap:
    """A post in which the mention ``new`` replaces ``old``; both belong to ``group``."""

    post: Post
    old: str
    new: str
    group: Group


def draw_swap(post: Post, mentions: Mentions, rng: random.Random, rule: TextRule = "social") -> Swap | None:
    """Swap a drawn entity for a drawn one; return None if the post has no entity that can be swapped.

    A replacement is another name that the post does not mention yet; the same name in other case does not count.
    """
    group_of = _group_swappable_surfaces(post)
    for old in rng.sample(sorted(group_of), len(group_of)):
        group = group_of[old]
        names = mentions.groups.get(group, ())
        for new in rng.sample(names, min(len(names), _MAX_TRIES)):
            if _can_replace(old, new, post, rule):
                return Swap(replace_mention(post, old, new, rule), old, new, group)
    return None


def _can_replace(old: str, new: str, post: Post, rule: TextRule) -> bool:
    """Whether the post does not mention ``new`` yet, and ``new`` can stand after # or @ if ``old`` does."""
    words = [token.text for token in tokenize(new, rule)]
    if f" {' '.join(words)} ".casefold() in f" {' '.join(post.tokens)} ".casefold():
        return False
    tokens_before = {
        post.tokens[entity.start - 1]
        for entity in post.entities
        if entity.start and post.get_mention(entity) == old
    }
    return len(words) == 1 or tokens_before.isdisjoint({"#", "@"})


def _group_swappable_surfaces(post: Post) -> dict[str, Group]:
    """Return the group of each surface form, except of forms with two groups, none, or an overlapping mention."""
    groups: dict[str, set[Group]] = {}
    for index, entity in enumerate(post.entities):
        group = () if _is_overlapped(entity, post) else find_group(post, index, entity)
        groups.setdefault(post.get_mention(entity), set()).add(group)
    return {
        surface: next(iter(candidates))
        for surface, candidates in groups.items()
        if len(candidates) == 1 and candidates != {()}
    }


def _is_overlapped(entity: Entity, post: Post) -> bool:
    return any(
        neighbour is not entity and neighbour.start < entity.end and entity.start < neighbour.end
        for neighbour in post.entities
    )


def replace_mention(post: Post, old: str, new: str, rule: TextRule = "social") -> Post:
    """Return the post with ``new`` in place of every entity whose mention is ``old``.

    No such entity may overlap another one. The entities keep their order and relations.
    """
    end_of = {entity.start: entity.end for entity in post.entities if post.get_mention(entity) == old}
    new_spans: list[Span] = [(token.start, token.end) for token in tokenize(new, rule)]
    text, offsets = "", list[Span]()
    new_index: dict[int, int] = {}  # by the index of the token in the old post
    copied, index = 0, 0  # characters and tokens of the old post that the new text has
    while index < len(post.tokens):
        new_index[index] = len(offsets)
        next_index = end_of.get(index, index + 1)
        start, end = post.offsets[index][0], post.offsets[next_index - 1][1]
        text += post.text[copied:start]

        piece, spans = (new, new_spans) if index in end_of else (post.text[start:end], [(0, end - start)])
        offsets += [(len(text) + first, len(text) + last) for first, last in spans]
        text += piece
        copied, index = end, next_index
    new_index[index] = len(offsets)
    text += post.text[copied:]
    return _rebuild_post(post, text, offsets, new_index)


def _rebuild_post(post: Post, text: str, offsets: Sequence[Span], new_index: Mapping[int, int]) -> Post:
    """Return the post with another text, its entities moved; the result is validated."""
    entities = tuple(
        entity.model_copy(update={"start": new_index[entity.start], "end": new_index[entity.end]})
        for entity in post.entities
    )
    tokens = tuple(text[start:end] for start, end in offsets)
    changes = {"text": text, "tokens": tokens, "offsets": tuple(offsets), "entities": entities}
    return Post.model_validate(post.model_copy(update=changes).model_dump())
