"""Counts of a data set, as JSON values: the content of each split, and the texts that splits share."""

from collections import Counter
from itertools import chain, combinations
from typing import Any

from cotpd.data.picture_lookup import PictureLookup
from cotpd.data.records import Post


def normalize_text(post: Post) -> str:
    """Return a post's words without case and extra blanks: equal for two posts with the same text."""
    return " ".join(post.text.split()).casefold()


def count_split(posts: list[Post], reader_counts: Counter[str], pictures: PictureLookup) -> dict[str, Any]:
    """Count the content of one split.

    Args:
        posts: Its posts.
        reader_counts: The reader's counts over the whole file: orphan tags, ignored keys, fine types.
        pictures: The pictures at hand.
    """
    every_entity = chain.from_iterable(post.entities for post in posts)
    every_relation = chain.from_iterable(post.relations for post in posts)
    entities = Counter(entity.type or "-" for entity in every_entity)
    relations = Counter(relation.label for relation in every_relation)
    labels = Counter(post.label for post in posts if post.label is not None)
    return {
        "posts": len(posts),
        "tokens": sum(len(post.tokens) for post in posts),
        "longest": max((len(post.tokens) for post in posts), default=0),
        "entities": sum(entities.values()),
        "entities_by_type": dict(sorted(entities.items())),
        "without_entities": sum(not post.entities for post in posts),
        "relations": sum(relations.values()),
        "relations_by_label": dict(sorted(relations.items())),
        "posts_by_label": dict(sorted(labels.items())),
        "name_a_picture": sum(post.image is not None for post in posts),
        "picture_at_hand": sum(pictures.find(post.image) is not None for post in posts),
        "with_caption": sum(post.caption is not None for post in posts),
        "with_answer": sum(bool(post.knowledge) for post in posts),
        "orphan_tags": reader_counts["orphan_tags"],
        "noticed": {name: count for name, count in sorted(reader_counts.items()) if name != "orphan_tags"},
    }


def count_shared_texts(posts: dict[str, list[Post]]) -> dict[str, int]:
    """Count, for each two splits, the posts of the second whose text stands in the first; zeros are left out."""
    texts = {split: set(map(normalize_text, rows)) for split, rows in posts.items()}
    counts = {}
    for first, second in combinations(posts, 2):
        shared = sum(normalize_text(post) in texts[first] for post in posts[second])
        if shared:
            counts[f"{first}/{second}"] = shared
    return counts
