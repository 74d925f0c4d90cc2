"""The mentions of the training split, grouped by what may stand for what.

Only training posts may enter: a mention of valid or test that became training material would be a leak.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cotpd.data.records import NO_RELATION, Entity, Post

Group = tuple[str, ...]


@dataclass(frozen=True)
class Mentions:
    """Surface forms by group, sorted, so that a seeded draw is the same whatever the order of the posts."""

    groups: dict[Group, tuple[str, ...]]

    @classmethod
    def of(cls, posts: Iterable[Post]) -> "Mentions":
        """Collect the mentions of training posts."""
        forms: dict[Group, set[str]] = defaultdict(set)
        for post in posts:
            for index, entity in enumerate(post.entities):
                if group := group_of(post, index, entity):
                    forms[group].add(post.get_mention(entity))
        return cls({group: tuple(sorted(names)) for group, names in forms.items()})

    @cached_property
    def every(self) -> frozenset[str]:
        """All surface forms."""
        return frozenset(form for forms in self.groups.values() for form in forms)


def group_of(post: Post, index: int, entity: Entity) -> Group:
    """What an entity may be replaced by: others of its type, or of its roles where there are no types (MNRE).

    The roles are slots of relations, such as "head of /per/org/member_of". An untyped entity that has no relation
    but None is in no group: nothing is known of what it is.
    """
    if entity.type is not None:
        return (entity.type,)
    roles = {
        f"{slot} of {relation.label}"
        for relation in post.relations
        for slot, at in (("head", relation.head), ("tail", relation.tail))
        if at == index and relation.label != NO_RELATION
    }
    return tuple(sorted(roles))
