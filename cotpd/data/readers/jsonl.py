"""The project's own format: one JSON object a line; entities count characters of the text, or the given tokens.

Unknown keys of a row are counted and ignored, but one that looks like a misspelt key or like annotation is
refused: "entites" or "ner_tags" would otherwise silently cost the row its annotation.
"""

import re
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers.file_format import Format, Rows, Source
from cotpd.data.readers.json_posts import read_rows
from cotpd.data.readers.json_shapes import has_own_rows, name_json_format
from cotpd.data.readers.json_values import iterate_json_rows
from cotpd.data.readers.key_names import (
    ENTITY_KEYS,
    RELATION_KEYS,
    explain_missing_text,
    list_ignored_keys,
    refuse_unknown_keys,
    refuse_wrapped_rows,
)
from cotpd.data.readers.nesting import rebuild_relations, resolve_nesting
from cotpd.data.readers.offsets import find_tokens
from cotpd.data.readers.values import (
    RowError,
    is_whole,
    make_writable,
    read_id,
    read_whole,
    show_value,
)
from cotpd.data.records import KNOWLEDGE_KINDS, Entity, Kind, Post, Relation, Span, TextRule
from cotpd.data.tokenization import Token, find_words, join_tokens, tokenize

ENTITY_REMEDY = 'Write {"start": 0, "end": 3, "type": "PER"}.'
RELATION_REMEDY = 'Write {"head": 0, "tail": 1, "label": "..."}.'
EXAMPLE = """\
{"id": "1", "text": "Ada visits London", "image": "images/1234.jpg",
 "entities": [{"start": 0, "end": 3, "type": "PER"}, {"start": 11, "end": 17, "type": "LOC"}],
 "relations": [{"head": 0, "tail": 1, "label": "/per/loc/place_of_residence"}], "label": "neutral"}
                      <- on one line each; start and end count characters, end exclusive.
                         "tokens": ["Ada", "visits", "London"] instead of "text": they count tokens.
                         "label" is that of the whole post (task: sentiment).
                         Optional: "caption": "...", "knowledge": {"sentence": "..."}"""


class TokenizedText(NamedTuple):
    """The text of a row and its tokens; ``has_own_tokens``: the row gave them, and its entities count them."""

    text: str
    tokens: list[Token]
    has_own_tokens: bool

    def show(self, entity: Entity) -> str:
        """Return the text of an entity."""
        return self.text[self.tokens[entity.start].start : self.tokens[entity.end - 1].end]


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    rows = enumerate(iterate_json_rows(source.path, source.name), 1)
    yield from read_rows(source, "jsonl", rows, _build_post, "Mend the line.")


def _build_post(source: Source, row: Any, _: int, line: int) -> Post:
    if not isinstance(row, dict):
        raise RowError("the line holds no object", 'Write {"id": ..., "text": ..., "entities": [...]}.')
    refuse_wrapped_rows(row)
    ignored = list_ignored_keys(row)
    label = read_label(row)
    tokenized = read_text(row, source.rule)
    entities = [read_entity(entity, tokenized, source) for entity in _read_list(row, "entities")]
    relations = read_relations(_read_list(row, "relations"), len(entities))
    chosen = resolve_nesting(entities, source, tokenized.show)
    post = Post(
        id=read_id(row.get("id")),
        text=tokenized.text,
        tokens=tuple(token.text for token in tokenized.tokens),
        offsets=tuple((token.start, token.end) for token in tokenized.tokens),
        image=read_picture(row),
        entities=tuple(chosen),
        relations=rebuild_relations(relations, entities, chosen, source),
        label=label,
        caption=read_string(row, "caption"),
        knowledge=read_knowledge(row),
        file=source.name,
        line=line,
    )
    source.counts.update(f"ignored_key:{make_writable(key)}" for key in ignored)
    return post


def read_text(row: dict[str, Any], rule: TextRule = "social") -> TokenizedText:
    """Return text and tokens of a row, which gives either of them or both."""
    text, words = row.get("text"), row.get("tokens")
    if words is None:
        if not isinstance(text, str):
            raise RowError("missing: text", explain_missing_text(row))
        if not text.strip():
            raise RowError("the post is empty", "Remove it.")
        return TokenizedText(text, tokenize(text, rule), False)

    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise RowError("tokens is not a list of words", "No token may be empty.")
    if not words:
        raise RowError("the post is empty", "Remove it.")
    if text is None:
        text, offsets = join_tokens(words)
        return TokenizedText(text, [Token(word, *span) for word, span in zip(words, offsets, strict=True)], True)
    if not isinstance(text, str):
        raise RowError("text is not a string", "Quote it.")
    try:
        return TokenizedText(text, find_words(words, text), True)
    except ValueError as error:
        raise RowError(str(error), "Leave text out, or mend the tokens.") from None


def read_entity(row: Any, tokenized: TokenizedText, source: Source) -> Entity:
    """Read an entity of a row.

    Raises:
        RowError: It has no type that is a word, unknown keys, or a span that does not fit the text.
    """
    if not isinstance(row, dict):
        raise RowError(f"the entity {show_value(row)} is no object", ENTITY_REMEDY)
    refuse_unknown_keys(row, ENTITY_KEYS, "an entity")
    label, surface = row.get("type"), row.get("text")
    if label is not None and (not isinstance(label, str) or not label.strip()):
        raise RowError("an entity's type is not a word", "Leave it out where only relations matter.")
    if surface is not None and not isinstance(surface, str):
        raise RowError("an entity's text is not a string", "Quote it, or leave it out.")
    if row.get("start") is None or row.get("end") is None:
        raise RowError("an entity has no start and end", ENTITY_REMEDY)
    span = read_whole(row["start"], "start"), read_whole(row["end"], "end")
    if tokenized.has_own_tokens:
        _check_words(tokenized, span, surface)
    else:
        span = find_tokens(tokenized.text, tokenized.tokens, span, surface, source.unit)
    return Entity(start=span[0], end=span[1], type=label)


def _check_words(tokenized: TokenizedText, span: Span, surface: str | None) -> None:
    """Check a span of tokens, and the mention that it marks if the row spells it out."""
    start, end = span
    size = len(tokenized.tokens)
    remedy = "With tokens, spans count tokens."
    if not 0 <= start < end <= size:
        raise RowError(f"entity {start}:{end} does not fit {format_count(size, 'token')}", remedy)
    mention = tokenized.text[tokenized.tokens[start].start : tokenized.tokens[end - 1].end]
    if surface is not None and "".join(mention.split()) != "".join(surface.split()):
        raise RowError(f"an entity marks the words {mention!r}, not {surface!r}", remedy)


def read_relations(rows: list[Any], entity_count: int) -> tuple[Relation, ...]:
    """Read relations whose ends count the entities of their post.

    Raises:
        RowError: One makes no sense, or a pair has two labels.
    """
    labels: dict[tuple[int, int], str] = {}
    for row in rows:
        if not isinstance(row, dict):
            raise RowError(f"the relation {show_value(row)} is no object", RELATION_REMEDY)
        refuse_unknown_keys(row, RELATION_KEYS, "a relation")
        if not is_whole(row.get("head")) or not is_whole(row.get("tail")):
            raise RowError("a relation has no head and tail", RELATION_REMEDY)
        pair, label = (row["head"], row["tail"]), row.get("label")
        if not isinstance(label, str) or not label.strip():
            raise RowError("a relation has no label", 'Unrelated pairs are labelled "None".')
        if not all(0 <= end < entity_count for end in pair) or pair[0] == pair[1]:
            shown = " to ".join(map(show_value, pair))
            raise RowError(
                f"relation {shown} does not join two of {format_count(entity_count, 'entity', 'entities')}",
                "Count from 0.",
            )
        if labels.setdefault(pair, label) != label:
            raise RowError(f"one pair is labelled {labels[pair]} and {label}", "Keep one of the two.")
    return tuple(Relation(head=head, tail=tail, label=label) for (head, tail), label in labels.items())


def read_label(row: dict[str, Any]) -> str | None:
    """Return the label of the whole post; None if there is none."""
    if "label" not in row or row["label"] is None:
        return None
    label = row["label"]
    if isinstance(label, list | dict):
        raise RowError(
            f"the label {show_value(label)} is none of a whole post",
            'Entities go under "entities", relations under "relations".',
        )
    if not isinstance(label, str):
        raise RowError(f"the label {show_value(label)} is no word", 'Write its name: "label": "positive".')
    if not label.strip():
        raise RowError("the label is empty", "Fill it, or leave it out.")
    return label


def read_knowledge(row: dict[str, Any]) -> dict[Kind, str]:
    """Read the knowledge of a row by kind; an empty answer is none."""
    texts = row.get("knowledge") or {}
    allowed = [kind.value for kind in KNOWLEDGE_KINDS]
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise RowError("knowledge is not an object of texts", 'Write {"sentence": "..."}.')
    wrong = [kind for kind in texts if kind not in allowed]
    if wrong:
        raise RowError(f"unknown kind of knowledge {wrong[0]!r}", f"Kinds: {', '.join(allowed)}.")
    return {Kind(kind): text for kind, text in texts.items() if text.strip()}


def read_picture(row: dict[str, Any]) -> str | None:
    """Return a picture's path or address; refuse a path out of the folder, whose file a captioner might upload."""
    image = read_string(row, "image")
    if image and "://" not in image and (PurePosixPath(image).is_absolute() or ".." in PurePosixPath(image).parts):
        raise RowError(
            f"the picture {image!r} lies outside the data set's folder", "Name it by a path below the folder."
        )
    return image


def read_string(row: dict[str, Any], key: str) -> str | None:
    """Return a string of a row; None if it is missing or blank."""
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise RowError(f"{key} is not a string", "Quote it, or leave it out.")
    return value if value and value.strip() else None


def _read_list(row: dict[str, Any], key: str) -> list[Any]:
    """Return a list of a row; an empty one if it is missing."""
    value = row.get(key)
    if value is not None and not isinstance(value, list):
        raise RowError(f"{key} is not a list", "Use [] where there is none.")
    return value or []


def is_format_of(head: list[str]) -> bool:
    """Whether one of the first lines opens a JSON object, the very first may be damaged; or a list of own rows."""
    if has_own_rows(head):
        return True
    return any(re.match(r'\s*\{\s*("|\}|$)', line) for line in head) and name_json_format(head) in ("jsonl", "")


FORMAT = Format(
    name="jsonl",
    title="jsonl: {train,valid,test}.jsonl (.json), this project's own format",
    suffixes=(".jsonl", ".json"),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
    published=False,
)
