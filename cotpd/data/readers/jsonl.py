"""Our own format: one JSON object a line, entities by character offset in the text, or by token in given tokens.

Keys of a row that the format does not know are counted and ignored, but one that looks like a misspelt known key
or like annotation is refused: "entites" or "ner_tags" would otherwise silently cost the row its annotation.
"""

import re
from pathlib import PurePosixPath
from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source, attempt, refuse, refuse_overlaps
from cotpd.data.readers.key_names import (
    ENTITY_KEYS,
    RELATION_KEYS,
    explain_missing_text,
    list_ignored_keys,
    refuse_unknown_keys,
)
from cotpd.data.readers.offsets import find_tokens
from cotpd.data.readers.text_files import numbered_lines
from cotpd.data.readers.values import RowError, is_whole, parse_json, read_id, read_whole, show_value, writable
from cotpd.data.records import AUGMENT_KINDS, Entity, Kind, Post, Relation
from cotpd.data.tokenization import Token, join_tokens, tokenize

ENTITY_REMEDY = 'Write {"start": 0, "end": 3, "type": "PER"}.'
RELATION_REMEDY = 'Write {"head": 0, "tail": 1, "label": "..."}.'
EXAMPLE = """\
{"id": "1", "text": "Ada visits London", "image": "images/1234.jpg",
 "entities": [{"start": 0, "end": 3, "type": "PER"}, {"start": 11, "end": 17, "type": "LOC"}],
 "relations": [{"head": 0, "tail": 1, "label": "/per/loc/place_of_residence"}]}
                      <- on one line each; start and end count characters, end exclusive.
                         "tokens": ["Ada", "visits", "London"] instead of "text": they count tokens.
                         Optional: "caption": "...", "knowledge": {"sentence": "..."}"""


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    for number, line in numbered_lines(source.path, source.name):
        if not line.strip():
            continue
        try:
            row = parse_json(line)
        except RowError as bad:
            yield refuse(source, number, line, bad.reason, bad.remedy)
            continue
        value = row.get("id", "") if isinstance(row, dict) else ""
        post_id = value if isinstance(value, str) else show_value(value)
        yield attempt(source, number, line, lambda row=row, number=number: _post(source, row, number), post_id)


def _post(source: Source, row: Any, line: int) -> Post:
    if not isinstance(row, dict):
        raise RowError("the line holds no object", 'Write {"id": ..., "text": ..., "entities": [...]}.')
    ignored = list_ignored_keys(row)
    text, tokens, by_token = _tokens(row)
    entities = [_entity(one, text, tokens, source, by_token) for one in _list(row, "entities")]
    refuse_overlaps(entities, lambda entity: text[tokens[entity.start].start : tokens[entity.end - 1].end])
    post = Post(
        id=read_id(row.get("id")),
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
    source.counts.update(f"ignored_key:{writable(key)}" for key in ignored)
    return post


def _tokens(row: dict[str, Any]) -> tuple[str, list[Token], bool]:
    """Text, tokens, and whether entities count tokens (the row brought its own) or characters."""
    text, own = row.get("text"), row.get("tokens")
    if own is None:
        if not isinstance(text, str):
            raise RowError("missing: text", explain_missing_text(row))
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


def _entity(row: Any, text: str, tokens: list[Token], source: Source, by_token: bool) -> Entity:
    if not isinstance(row, dict):
        raise RowError(f"the entity {show_value(row)} is no object", ENTITY_REMEDY)
    refuse_unknown_keys(row, ENTITY_KEYS, "an entity")
    kind, surface = row.get("type"), row.get("text")
    if kind is not None and (not isinstance(kind, str) or not kind.strip()):
        raise RowError("an entity's type is not a word", "Leave it out where only relations matter.")
    if surface is not None and not isinstance(surface, str):
        raise RowError("an entity's text is not a string", "Quote it, or leave it out.")
    if row.get("start") is None or row.get("end") is None:
        raise RowError("an entity has no start and end", ENTITY_REMEDY)
    start, end = read_whole(row["start"], "start"), read_whole(row["end"], "end")
    if not by_token:
        start, end = find_tokens(text, tokens, (start, end), surface, source.unit)
    elif not 0 <= start < end <= len(tokens):
        raise RowError(
            f"entity {start}:{end} does not fit {len(tokens)} tokens", "With tokens, spans count tokens."
        )
    elif surface is not None:
        _check_words(text, tokens[start:end], surface)
    return Entity(start=start, end=end, type=kind)


def _check_words(text: str, marked: list[Token], surface: str) -> None:
    mention = text[marked[0].start : marked[-1].end]
    if "".join(mention.split()) != "".join(surface.split()):
        raise RowError(
            f"an entity marks the words {mention!r}, not {surface!r}", "With tokens, spans count tokens."
        )


def _relations(rows: list[Any], entities: int) -> tuple[Relation, ...]:
    labels: dict[tuple[int, int], str] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise RowError(f"the relation {show_value(row)} is no object", RELATION_REMEDY)
        refuse_unknown_keys(row, RELATION_KEYS, "a relation")
        if not is_whole(row.get("head")) or not is_whole(row.get("tail")):
            raise RowError("a relation has no head and tail", RELATION_REMEDY)
        ends, label = (row["head"], row["tail"]), row.get("label")
        if not isinstance(label, str) or not label.strip():
            raise RowError("a relation has no label", 'Unrelated pairs are labelled "None".')
        if not all(0 <= end < entities for end in ends) or ends[0] == ends[1]:
            shown = " to ".join(map(show_value, ends))
            raise RowError(f"relation {shown} does not join two of {entities} entities", "Count from 0.")
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


def looks_like(head: list[str]) -> bool:
    """Whether one of the first lines opens a JSON object; the very first may be damaged."""
    return any(re.match(r'\s*\{\s*("|\}|$)', line) for line in head)


FORMAT = Format(
    name="jsonl",
    title="jsonl: {train,valid,test}.jsonl, this project's own format",
    suffix=".jsonl",
    looks_like=looks_like,
    read=read,
    example=EXAMPLE,
    published=False,
)
