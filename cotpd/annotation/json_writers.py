"""Writers of JSON without a tool of annotation behind it: this project's rows, rows of tags, spaCy's documents."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from cotpd.annotation.annotated_posts import convert_post, get_gold
from cotpd.annotation.json_lines import write_lines, write_list
from cotpd.data.bio import encode_spans
from cotpd.data.records import Post


def write_jsonl(posts: Sequence[Post], path: Path, *, with_words: bool) -> int:
    """Write rows of this project's own format, with words or without, and return their number."""
    return write_lines((build_row(post, with_words=with_words) for post in posts), path)


def build_row(post: Post, *, with_words: bool) -> dict[str, Any]:
    """Build a row of this project's own format; where it has words, its entities count them."""
    meta = dict(convert_post(post, with_words=with_words).meta)
    marks = [(entity.start, entity.end) for entity in post.entities]
    if "tokens" not in meta:
        marks = [(post.offsets[start][0], post.offsets[end - 1][1]) for start, end in marks]
    entities = [
        {"start": start, "end": end} | ({} if entity.type is None else {"type": entity.type})
        for (start, end), entity in zip(marks, post.entities, strict=True)
    ]
    relations = [relation.model_dump() for relation in post.relations]
    label = {} if post.label is None else {"label": post.label}
    return {"id": post.id, "text": post.text, **meta, **label, "entities": entities, "relations": relations}


def write_tags(posts: Sequence[Post], path: Path) -> int:
    """Write rows of words and tags, and return their number."""
    return write_lines(map(build_tagged_row, posts), path)


def build_tagged_row(post: Post) -> dict[str, Any]:
    """Build a row of words and tags; mentions without a type are left out."""
    meta = dict(convert_post(post).meta)
    label = {} if post.label is None else {"label": post.label}
    row = {"id": post.id, "text": post.text, **meta, **label}
    return row | {"tokens": list(post.tokens), "ner_tags": encode_tags(post)}


def encode_tags(post: Post) -> list[str]:
    """Return one tag of IOB2 for each word; mentions without a type are left out."""
    typed = [(entity.start, entity.end, entity.type) for entity in post.entities if entity.type]
    return encode_spans(typed, len(post.tokens))


def write_spacy(posts: Sequence[Post], path: Path) -> int:
    """Write documents as spaCy's Doc.from_json reads them, and return their number."""
    return write_list(map(build_document, posts), path)


def build_document(post: Post) -> dict[str, Any]:
    """Build a document; what spaCy has no place for stands under a key that it ignores."""
    meta = convert_post(post).meta
    gold = get_gold(post)
    marks = [{"start": mark.start, "end": mark.end, "label": mark.type} for mark in gold.marks]
    ordered = sorted(gold.marks)
    overlap = any(right.start < left.end for left, right in pairwise(ordered))
    custom = {"id": post.id, **meta, "relations": [relation.model_dump() for relation in post.relations]}
    return {
        "text": post.text,
        "ents": [] if overlap else marks,
        "spans": {"sc": marks} if overlap else {},  # entities of spaCy's do not overlap, spans of a group may
        "tokens": [{"id": number, "start": span[0], "end": span[1]} for number, span in enumerate(post.offsets)],
        "cats": {} if post.label is None else {post.label: 1.0},
        "cotpd": custom,
    }
