"""Records for Argilla 2: gold as responses, a model's suggestions with their scores and its name.

The file is what `dataset.records.from_json` reads. Argilla has no question for relations: they are written as a
text, one relation a line, so that an annotator reads them; ``meta`` becomes metadata, which Argilla keeps flat.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cotpd.annotation.annotated_posts import AnnotatedPost, Annotation
from cotpd.annotation.json_lines import write_list
from cotpd.data.readers.argilla_exports import NOBODY

SPANS, RELATIONS, CLASS = "spans", "relations", "label"  # the names of the questions


def write_argilla(posts: Iterable[AnnotatedPost], path: Path) -> int:
    """Write posts as a JSON list of records, and return their number.

    Raises:
        StorageError: The disk is full.
    """
    return write_list(map(build_record, posts), path)


def build_record(post: AnnotatedPost) -> dict[str, Any]:
    """Build the record of a post."""
    record: dict[str, Any] = {
        "id": post.id,
        "fields": {"text": post.text},
        "metadata": _flatten(post.meta),
        "suggestions": {},
        "responses": {},
    }
    if post.predicted is not None:
        for question, (value, score) in _list_values(post.text, post.predicted).items():
            record["suggestions"][question] = {"value": value, "score": score, "agent": post.model}
    if post.gold is not None:
        for question, (value, _) in _list_values(post.text, post.gold).items():
            record["responses"][question] = [{"value": value, "user_id": NOBODY}]
    return record


def _list_values(text: str, annotation: Annotation) -> dict[str, tuple[Any, Any]]:
    """Return the value and the score of each question that an annotation answers."""
    marks = [{"start": mark.start, "end": mark.end, "label": mark.type} for mark in annotation.marks]
    scores = [mark.score for mark in annotation.marks]
    values: dict[str, tuple[Any, Any]] = {SPANS: (marks, None if None in scores or not scores else scores)}
    if annotation.links:
        lines = [_format_link(text, annotation, number) for number in range(len(annotation.links))]
        values[RELATIONS] = ("\n".join(lines), min((link.score or 0 for link in annotation.links), default=None))
    if annotation.label is not None:
        values[CLASS] = (annotation.label, annotation.label_score)
    return values


def _format_link(text: str, annotation: Annotation, number: int) -> str:
    """Format a relation as a person and a reader can read it: label, then the numbers and words of both ends."""
    link = annotation.links[number]
    head, tail = annotation.marks[link.head], annotation.marks[link.tail]
    words = f"{text[head.start : head.end]} -> {text[tail.start : tail.end]}"
    return json.dumps([link.label, link.head, link.tail, words], ensure_ascii=False)


def _flatten(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata without objects inside: knowledge becomes knowledge_noun, and so on."""
    flat: dict[str, Any] = {}
    for name, value in meta.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}_{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat
