"""The mentions of the training split, grouped by the mentions that may replace each other.

Only training posts may be read: a mention of valid or test in a training post would be a leak.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from cotpd.data.records import NO_RELATION, Entity, Post

Group = tuple[str, ...]


@dataclass(frozen=True)
class Mentions:
    """Surface forms by group, sorted, so that a seeded draw does not depend on the order of the posts."""

    groups: dict[Group, tuple[str, ...]]

    @classmethod
    def from_posts(cls, posts: Iterable[Post]) -> "Mentions":
        """Collect the mentions of training posts."""
        surfaces: dict[Group, set[str]] = defaultdict(set)
        for post in posts:
            for index, entity in enumerate(post.entities):
                group = find_group(post, index, entity)
                if group:
                    surfaces[group].add(post.get_mention(entity))
        return cls({group: tuple(sorted(names)) for group, names in surfaces.items()})

    @cached_property
    def surfaces(self) -> frozenset[str]:
        """Every surface form of every group."""
        return frozenset(chain.from_iterable(self.groups.values()))


def find_group(post: Post, index: int, entity: Entity) -> Group:
    """Return the entity's type, or its roles where there are no types (MNRE): it may be replaced within the group.

    A role is a slot of a relation, such as "head of /per/org/member_of". An untyped entity in no relation but None
    belongs to no group, because nothing tells its kind; its group is empty.
    """
    if entity.type is not None:
        return (entity.type,)
    roles = {
        f"{slot} of {relation.label}"
        for relation in post.relations
        for slot, argument in (("head", relation.head), ("tail", relation.tail))
        if argument == index and relation.label != NO_RELATION
    }
    return tuple(sorted(roles))
