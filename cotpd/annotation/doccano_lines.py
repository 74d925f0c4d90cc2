"""Lines for doccano: spans as `label`: [start, end, type], or entities and relations where a post has relations.

doccano has no suggestions: what a model finds is imported as labels of examples that nobody has confirmed yet.
Further keys of a line become the example's metadata.
"""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

from cotpd.annotation.annotated_posts import AnnotatedPost, Annotation
from cotpd.annotation.json_lines import write_lines


def write_doccano(posts: Iterable[AnnotatedPost], path: Path) -> int:
    """Write posts as JSON Lines and return their number; all lines have one shape, as doccano's import asks.

    Raises:
        StorageError: The disk is full.
    """
    posts = list(posts)
    with_relations = any(annotation.links for annotation in chain.from_iterable(map(_list_annotations, posts)))
    return write_lines((build_line(post, with_relations=with_relations) for post in posts), path)


def build_line(post: AnnotatedPost, *, with_relations: bool) -> dict[str, Any]:
    """Build the line of a post; what a person marked goes before what a model suggests."""
    annotation = next(iter(_list_annotations(post)), Annotation())
    line: dict[str, Any] = {"id": post.id, "text": post.text}
    if annotation.label is not None and not annotation.marks and not with_relations:
        return line | {"label": [annotation.label], "Comments": []} | dict(post.meta)
    if annotation.label is not None:
        line["cats"] = [annotation.label]
    if not with_relations:
        line["label"] = [[mark.start, mark.end, mark.type] for mark in annotation.marks]
    else:
        line["entities"] = [
            {"id": number, "start_offset": mark.start, "end_offset": mark.end, "label": mark.type}
            for number, mark in enumerate(annotation.marks)
        ]
        line["relations"] = [
            {"id": number, "from_id": link.head, "to_id": link.tail, "type": link.label}
            for number, link in enumerate(annotation.links)
        ]
    return line | {"Comments": []} | dict(post.meta)


def _list_annotations(post: AnnotatedPost) -> list[Annotation]:
    return [annotation for annotation in (post.gold, post.predicted) if annotation is not None]
