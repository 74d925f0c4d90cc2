"""The tool that wrote the rows of a JSON file: told from their keys, by the majority of the first rows.

One function answers for all formats of JSON, so that no file is of two of them. What no tool writes is taken for
this project's own format, whose reader explains what is wrong with a row.
"""

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cotpd.data.readers.json_values import parse_head

TOKEN_KEYS = ("tokens", "words")
TAG_KEYS = ("ner_tags", "tags", "ner", "labels", "ner_labels", "bio_tags", "iob_tags", "label")
_ANSWERS = ("accept", "reject", "ignore")
# keys of a row whose first object is longer than what was read, where no row can be parsed
_PATTERNS = {
    "label-studio": r'"(annotations|predictions|completions)"\s*:',
    "argilla": r'"(responses|suggestions)"\s*:',
    "spacy": r'"(paragraphs|ents)"\s*:',
    "prodigy": r'"(_input_hash|_task_hash|spans)"\s*:',
}


def name_json_format(head: list[str]) -> str:
    """Name the format of a JSON file by its first lines; it is empty if they hold no JSON."""
    return _name_format(tuple(head))


@lru_cache(maxsize=64)
def _name_format(head: tuple[str, ...]) -> str:
    rows = parse_head(list(head))
    if not rows:
        return _find_by_keys("\n".join(head))
    votes = Counter(map(name_row_format, rows))
    del votes[""]
    return max(votes, key=lambda name: (votes[name], name == "jsonl"), default="jsonl")


def has_own_rows(head: list[str]) -> bool:
    """Whether most rows of a JSON file are of this project's own format."""
    return name_json_format(head) == "jsonl" and any(
        isinstance(row, Mapping) and _is_own(row) for row in parse_head(head)
    )


def _find_by_keys(text: str) -> str:
    """Guess a format by keys alone, for a file that begins with one very long row."""
    if not re.match(r"\s*[\[{]", text):
        return ""
    return next((name for name, pattern in _PATTERNS.items() if re.search(pattern, text)), "")


def name_row_format(row: Any) -> str:
    """Name the format of a row; it is empty if the row is of none, or may be of several."""
    if isinstance(row, list) and row and isinstance(row[0], str):
        if len(row) == 2 and isinstance(row[1], dict):
            return "spacy"
        return "wikidiverse" if len(row) > 3 else ""
    if not isinstance(row, Mapping):
        return ""
    tests = {
        "jsonl": _is_own,
        "label-studio": _is_label_studio,
        "argilla": _is_argilla,
        "spacy": _is_spacy,
        "prodigy": _is_prodigy,
        "tags": has_tags,
        "doccano": _is_doccano,
    }
    return next((name for name, is_of in tests.items() if is_of(row)), "")


def _is_own(row: Mapping[str, Any]) -> bool:
    """Whether a row has entities or relations as this project writes them."""
    entities, relations = row.get("entities"), row.get("relations")
    are_ours = [_has_keys(entities, {"start", "end"}), _has_keys(relations, {"head", "tail"})]
    return any(are_ours) and "fields" not in row and "data" not in row


def _has_keys(items: Any, keys: set[str]) -> bool:
    return (
        isinstance(items, list)
        and bool(items)
        and all(isinstance(item, dict) and keys <= set(item) for item in items)
    )


def _is_label_studio(row: Mapping[str, Any]) -> bool:
    """Whether a row is a task, or one of JSON-MIN."""
    is_task = isinstance(row.get("data"), dict) and bool(
        {"annotations", "predictions", "completions", "project"} & set(row)
    )
    return is_task or ("annotation_id" in row and "annotator" in row)


def _is_argilla(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("fields"), dict) and ("responses" in row or "suggestions" in row)


def _is_spacy(row: Mapping[str, Any]) -> bool:
    """Whether a row is a Doc as JSON, or a document of spaCy 2."""
    return isinstance(row.get("paragraphs"), list) or (isinstance(row.get("ents"), list) and "text" in row)


def _is_prodigy(row: Mapping[str, Any]) -> bool:
    if "_task_hash" in row or "_input_hash" in row:
        return True
    has_spans = _has_keys(row.get("spans"), {"start", "end"})
    return isinstance(row.get("text"), str) and (row.get("answer") in _ANSWERS or has_spans)


def has_tags(row: Mapping[str, Any]) -> bool:
    """Whether a row holds words and a list of tags for them; one with Comments is doccano's."""
    words = find_list(row, TOKEN_KEYS)
    if words is None or "Comments" in row or not all(isinstance(word, str) for word in row[words]):
        return False
    return any(_are_tags(row.get(key)) for key in TAG_KEYS)


def _are_tags(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(tag, str | int) for tag in value)


def find_list(row: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """Return the first of some keys whose value is a list."""
    return next((key for key in keys if isinstance(row.get(key), list)), None)


def _is_doccano(row: Mapping[str, Any]) -> bool:
    """Whether a row has labels of spans as [start, end, label], or entities with start_offset, or Comments."""
    if not isinstance(row.get("text", row.get("data")), str):
        return False
    if "Comments" in row:  # may be an export with tokens among its metadata
        return True
    if "tokens" in row:
        return False
    if "cats" in row:
        return True
    marks = row.get("label", row.get("labels", row.get("entities")))
    if not isinstance(marks, list):
        return False
    if not marks:
        return "entities" not in row
    is_class = "entities" not in row and len(marks) == 1 and isinstance(marks[0], str)
    return (
        is_class
        or all(map(_is_triple, marks))
        or all(isinstance(mark, dict) and "start_offset" in mark for mark in marks)
    )


def _is_triple(mark: Any) -> bool:
    return isinstance(mark, list) and len(mark) == 3 and isinstance(mark[2], str)
