"""Our own format: one JSON object a line, entities by character offset in the text, or by token in given tokens.

Keys that the format does not know are counted and ignored, but one that looks like a misspelt known key is
refused: "entites" would otherwise silently cost the row its annotation.
"""

import difflib
import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from cotpd.data.readers.base import (
    Format,
    RowError,
    Rows,
    Source,
    attempt,
    numbered_lines,
    refuse,
    refuse_overlaps,
)
from cotpd.data.records import AUGMENT_KINDS, Entity, Kind, Post, Relation
from cotpd.data.text import Token, join_tokens, tokenize

KEYS = ("id", "text", "tokens", "image", "entities", "relations", "caption", "knowledge")
EXAMPLE = """\
{"id": "1", "text": "Ada visits London", "image": "images/1234.jpg",
 "entities": [{"start": 0, "end": 3, "type": "PER"}, {"start": 11, "end": 17, "type": "LOC"}],
 "relations": [{"head": 0, "tail": 1, "label": "/per/loc/place_of_residence"}]}
                      <- on one line each; start and end count characters, end exclusive.
                         "tokens": ["Ada", "visits", "London"] instead of "text": they count tokens.
                         Optional: "caption": "...", "knowledge": {"sentence": "..."}"""


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.base.Format`."""
    for number, line in numbered_lines(source.path, source.name):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            yield refuse(source, number, line, f"not JSON: {error.msg} at column {error.colno}", "Mend the line.")
            continue
        except (ValueError, RecursionError) as error:
            yield refuse(source, number, line, f"not JSON: {type(error).__name__}", "Mend the line.")
            continue
        post_id = str(row.get("id", "")) if isinstance(row, dict) else ""
        yield attempt(source, number, line, lambda row=row, number=number: _post(source, row, number), post_id)


def to_token_span(tokens: Sequence[Token], start: int, end: int) -> tuple[int, int]:
    """Tokens that a character span covers exactly.

    Raises:
        RowError: A border lies inside a token or between two; the remedy names the nearest borders.
    """
    starts = {token.start: number for number, token in enumerate(tokens)}
    ends = {token.end: number + 1 for number, token in enumerate(tokens)}
    if start in starts and end in ends and starts[start] < ends[end]:
        return starts[start], ends[end]
    touched = [token for token in tokens if token.start < end and token.end > start]
    near = (
        f"The words it touches are {touched[0].start}:{touched[-1].end}; mark those"
        if touched
        else "There is no word; mark one"
    )
    raise RowError(
        f"entity {start}:{end} does not begin and end with a word", f"{near}, or give tokens of your own."
    )


def _post(source: Source, row: Any, line: int) -> Post:
    if not isinstance(row, dict):
        raise RowError("the line holds no object", 'Write {"id": ..., "text": ..., "entities": [...]}.')
    ignored = _unknown_keys(row)
    text, tokens, by_token = _tokens(row)
    entities = [_entity(row_entity, tokens, by_token) for row_entity in _list(row, "entities")]
    refuse_overlaps(entities, lambda entity: text[tokens[entity.start].start : tokens[entity.end - 1].end])
    post = Post(
        id=_id(row),
        text=text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        image=_image(row),
        entities=tuple(entities),
        relations=_relations(_list(row, "relations"), len(entities)),
        caption=_string(row, "caption"),
        knowledge=_knowledge(row),
        file=source.name,
        line=line,
    )
    source.counts.update(f"ignored_key:{key}" for key in ignored)
    return post


def _unknown_keys(row: dict[str, Any]) -> list[str]:
    unknown = [key for key in row if key not in KEYS]
    for key in unknown:
        near = [known for known in difflib.get_close_matches(key, KEYS, 1, 0.8) if known not in row]
        if near:
            raise RowError(f"unknown key {key!r}; did you mean {near[0]!r}?", f"Rename it to {near[0]!r}.")
    return unknown


def _id(row: dict[str, Any]) -> str:
    value = row.get("id")
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise RowError("missing: id", "Give each post an id of its own: every table is keyed by it.")
    return str(value)


def _tokens(row: dict[str, Any]) -> tuple[str, list[Token], bool]:
    """Text, tokens, and whether entities count tokens (the row brought its own) or characters."""
    text, own = row.get("text"), row.get("tokens")
    if own is None:
        if not isinstance(text, str):
            raise RowError("missing: text", "Give the post's text, or its tokens.")
        if not text.strip():
            raise RowError("the post is empty", "Remove it.")
        return text, tokenize(text), False
    if not isinstance(own, list) or not all(isinstance(token, str) and token for token in own):
        raise RowError("tokens is not a list of words", "No token may be empty.")
    if not own:
        raise RowError("the post is empty", "Remove it.")
    if text is None:
        joined, offsets = join_tokens(own)
        return joined, [Token(t, *span) for t, span in zip(own, offsets, strict=True)], True
    if not isinstance(text, str):
        raise RowError("text is not a string", "Quote it.")
    return text, _align(text, own), True


def _align(text: str, words: list[str]) -> list[Token]:
    found, at = [], 0
    for word in words:
        start = text.find(word, at)
        if start < 0:
            raise RowError(f"token {word!r} is not in the rest of the text", "Leave text out, or mend the tokens.")
        at = start + len(word)
        found.append(Token(word, start, at))
    return found


def _entity(row: Any, tokens: list[Token], by_token: bool) -> Entity:
    if not isinstance(row, dict) or not _is_int(row.get("start")) or not _is_int(row.get("end")):
        raise RowError("an entity has no start and end", 'Write {"start": 0, "end": 3, "type": "PER"}.')
    kind = row.get("type")
    if kind is not None and (not isinstance(kind, str) or not kind.strip()):
        raise RowError("an entity's type is not a word", "Leave it out where only relations matter.")
    start, end = row["start"], row["end"]
    if not by_token:
        start, end = to_token_span(tokens, start, end)
    elif not 0 <= start < end <= len(tokens):
        raise RowError(
            f"entity {start}:{end} does not fit {len(tokens)} tokens", "With tokens, spans count tokens."
        )
    return Entity(start=start, end=end, type=kind)


def _relations(rows: list[Any], entities: int) -> tuple[Relation, ...]:
    labels: dict[tuple[int, int], str] = {}
    for row in rows:
        if not isinstance(row, dict) or not _is_int(row.get("head")) or not _is_int(row.get("tail")):
            raise RowError("a relation has no head and tail", 'Write {"head": 0, "tail": 1, "label": "..."}.')
        ends, label = (row["head"], row["tail"]), row.get("label")
        if not isinstance(label, str) or not label.strip():
            raise RowError("a relation has no label", 'Unrelated pairs are labelled "None".')
        if not all(0 <= end < entities for end in ends) or ends[0] == ends[1]:
            raise RowError(
                f"relation {ends[0]} to {ends[1]} does not join two of {entities} entities", "Count from 0."
            )
        if labels.setdefault(ends, label) != label:
            raise RowError(f"one pair is labelled {labels[ends]} and {label}", "Keep one of the two.")
    return tuple(Relation(head=head, tail=tail, label=label) for (head, tail), label in labels.items())


def _knowledge(row: dict[str, Any]) -> dict[Kind, str]:
    given = row.get("knowledge") or {}
    allowed = [kind.value for kind in Kind if kind not in AUGMENT_KINDS]
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        raise RowError("knowledge is not an object of texts", 'Write {"sentence": "..."}.')
    wrong = [kind for kind in given if kind not in allowed]
    if wrong:
        raise RowError(f"unknown kind of knowledge {wrong[0]!r}", f"Kinds: {', '.join(allowed)}.")
    return {Kind(kind): text for kind, text in given.items() if text.strip()}


def _image(row: dict[str, Any]) -> str | None:
    """A picture's path or address. A path must stay below the folder: a captioner may send the file elsewhere."""
    image = _string(row, "image")
    if image and "://" not in image and (PurePosixPath(image).is_absolute() or ".." in PurePosixPath(image).parts):
        raise RowError(
            f"the picture {image!r} lies outside the data set's folder", "Name it by a path below the folder."
        )
    return image


def _string(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise RowError(f"{key} is not a string", "Quote it, or leave it out.")
    return value if value and value.strip() else None


def _list(row: dict[str, Any], key: str) -> list[Any]:
    value = row.get(key)
    if value is not None and not isinstance(value, list):
        raise RowError(f"{key} is not a list", "Use [] where there is none.")
    return value or []


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def looks_like(head: list[str]) -> bool:
    """The first line that is not blank opens a JSON object."""
    first = next((line.strip() for line in head if line.strip()), "")
    return first.startswith("{") and not first.startswith("{'")


FORMAT = Format(
    name="jsonl",
    title="jsonl: {train,valid,test}.jsonl, this project's own format",
    suffix=".jsonl",
    looks_like=looks_like,
    read=read,
    example=EXAMPLE,
    published=False,
)
