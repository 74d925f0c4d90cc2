"""Counts of a data set, as JSON values: what each split holds, and what its splits share."""

from collections import Counter
from itertools import combinations
from typing import Any

from cotpd.data.picture_lookup import Pictures
from cotpd.data.records import Post


def text_key(post: Post) -> str:
    """What makes two posts the same text: their words, whatever the blanks and the case."""
    return " ".join(post.text.split()).casefold()


def split_statistics(posts: list[Post], noticed: Counter[str], pictures: Pictures) -> dict[str, Any]:
    """Counts of one split.

    Args:
        posts: Its posts.
        noticed: What its reader counted over the whole file: orphan tags, ignored keys, fine types.
        pictures: The pictures at hand.
    """
    entities = Counter(entity.type or "-" for post in posts for entity in post.entities)
    relations = Counter(relation.label for post in posts for relation in post.relations)
    return {
        "posts": len(posts),
        "tokens": sum(len(post.tokens) for post in posts),
        "longest": max((len(post.tokens) for post in posts), default=0),
        "entities": sum(entities.values()),
        "entities_by_type": dict(sorted(entities.items())),
        "without_entities": sum(not post.entities for post in posts),
        "relations": sum(relations.values()),
        "relations_by_label": dict(sorted(relations.items())),
        "name_a_picture": sum(post.image is not None for post in posts),
        "picture_at_hand": sum(pictures.find(post.image) is not None for post in posts),
        "with_caption": sum(post.caption is not None for post in posts),
        "with_answer": sum(bool(post.knowledge) for post in posts),
        "orphan_tags": noticed["orphan_tags"],
        "noticed": {name: n for name, n in sorted(noticed.items()) if name != "orphan_tags"},
    }


def overlaps(posts: dict[str, list[Post]]) -> dict[str, int]:
    """How many posts of one split have a text that another split holds too, for each two splits that share any."""
    texts = {split: {text_key(post) for post in rows} for split, rows in posts.items()}
    shared = {
        f"{one}/{other}": sum(text_key(post) in texts[one] for post in posts[other])
        for one, other in combinations(posts, 2)
    }
    return {pair: count for pair, count in shared.items() if count}
