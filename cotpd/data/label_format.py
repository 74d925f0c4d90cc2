"""A post's labels as a file writes them (the format jsonl), offsets in characters, and the digest of its text."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from cotpd.data.records import Entity, Post


def format_labels(post: Post) -> dict[str, Any]:
    """Return a post's labels as a file writes them, by their keys."""
    relations = [relation.model_dump() for relation in post.relations]
    return {
        "entities": [format_entity(post, entity) for entity in post.entities],
        "relations": relations,
        "label": post.label,
    }


def format_entity(post: Post, entity: Entity) -> dict[str, Any]:
    """Return an entity as a file writes it, its offsets in characters."""
    start, end = post.offsets[entity.start][0], post.offsets[entity.end - 1][1]
    return {"start": start, "end": end, "type": entity.type}


def compute_text_digest(text: str) -> str:
    """Return the SHA-256 of a post's text, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def map_posts(posts: Mapping[str, Sequence[Post]]) -> dict[tuple[str, str], Post]:
    """Return the posts of all splits by split and id, as a correction names its post."""
    keyed: dict[tuple[str, str], Post] = {}
    for split, rows in posts.items():
        keyed |= {(split, post.id): post for post in rows}
    return keyed
