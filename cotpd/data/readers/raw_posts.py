"""A post as a tool stores it, offsets in characters, turned into a record; shared by all tools' readers.

Blanks that were marked with a mention are left out and counted. A mention that does not begin and end with a word
costs its row, as everywhere.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cotpd.data.readers.file_format import Source
from cotpd.data.readers.jsonl import (
    TokenizedText,
    read_knowledge,
    read_label,
    read_picture,
    read_relations,
    read_string,
    read_text,
)
from cotpd.data.readers.nesting import rebuild_relations, resolve_nesting
from cotpd.data.readers.offsets import find_tokens
from cotpd.data.readers.values import RowError, read_whole, show_value
from cotpd.data.records import Entity, Post, Span

UNTYPED = "-"  # what tools are given for a mention without a type, as each needs a label


class RawMention(NamedTuple):
    """A mention: ``key`` is what relations call it, ``surface`` its text if the row spells it out."""

    key: Hashable
    start: Any
    end: Any
    type: Any
    surface: str | None = None


class RawRelation(NamedTuple):
    """A relation between two mentions, by their keys."""

    head: Hashable
    tail: Hashable
    label: Any


class RawAnnotation(NamedTuple):
    """One annotator's annotation of a post: mentions, relations, and the label of the whole post."""

    mentions: list[RawMention]
    relations: list[RawRelation]
    label: Any = None


@dataclass(frozen=True)
class RawPost:
    """A row of a tool's file; ``meta`` may hold image, caption, knowledge and tokens, as rows of jsonl do."""

    id: str
    text: Any
    mentions: Sequence[RawMention] = ()
    relations: Sequence[RawRelation] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)
    label: Any = None


def build_post(source: Source, raw: RawPost, line: int) -> Post:
    """Check a row of a tool and build its post.

    Raises:
        RowError: Text, mentions or relations make no sense.
    """
    row = {**raw.meta, "text": raw.text}
    tokenized = read_text(row, source.rule)
    tokens = tokenized.tokens
    marked = [_build_entity(mention, tokenized, source) for mention in raw.mentions]
    unique = list(dict.fromkeys(marked))  # annotators repeat each other
    entities = resolve_nesting(unique, source, tokenized.show)
    keys = _find_positions(raw.mentions)
    relations = read_relations(_build_relation_rows(raw.relations, keys), len(marked))
    return Post(
        id=raw.id,
        text=tokenized.text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        label=read_label({"label": raw.label}),
        image=read_picture(row),
        entities=tuple(entities),
        relations=rebuild_relations(relations, marked, entities, source),
        caption=read_string(row, "caption"),
        knowledge=read_knowledge(row),
        file=source.name,
        line=line,
    )


def _build_entity(mention: RawMention, tokenized: TokenizedText, source: Source) -> Entity:
    marked = _read_offsets(mention)
    span = _trim_blanks(tokenized, marked, source)
    surface = mention.surface.strip() if mention.surface and span != marked else mention.surface
    start, end = find_tokens(tokenized.text, tokenized.tokens, span, surface, source.unit)
    return Entity(start=start, end=end, type=_read_type(mention.type))


def _read_offsets(mention: RawMention) -> Span:
    if mention.start is None or mention.end is None:
        raise RowError("a mention has no start and end", "Mark it again in the tool.")
    return read_whole(mention.start, "start"), read_whole(mention.end, "end")


def _read_type(label: Any) -> str | None:
    if label is None or label == UNTYPED:
        return None
    if not isinstance(label, str) or not label.strip():
        raise RowError(
            f"the label of a mention is {show_value(label)}, not a word", "Give it a label in the tool."
        )
    return label


def _trim_blanks(tokenized: TokenizedText, span: Span, source: Source) -> Span:
    """Leave the blanks at both ends of a mention out: tools let a person mark them, and they are of no word."""
    text, (start, end) = tokenized.text, span
    if (
        source.unit != "characters"
        or not 0 <= start < end <= len(text)
        or text[start:end] == text[start:end].strip()
    ):
        return span
    inside = [token for token in tokenized.tokens if start <= token.start and token.end <= end]
    if not inside or text[start : inside[0].start].strip() or text[inside[-1].end : end].strip():
        return span
    trimmed = inside[0].start, inside[-1].end
    source.counts["trimmed_marks"] += trimmed != span
    return trimmed


def _find_positions(mentions: Sequence[RawMention]) -> dict[Hashable, int]:
    """Return the position of each mention by its key."""
    for mention in mentions:
        if isinstance(mention.key, list | dict):
            raise RowError(f"the id of a mention is {show_value(mention.key)}", "Write a number or a string.")
    return {mention.key: number for number, mention in enumerate(mentions)}


def _build_relation_rows(relations: Sequence[RawRelation], keys: Mapping[Hashable, int]) -> list[dict[str, Any]]:
    """Return relations as rows of jsonl, whose ends count the mentions."""
    for relation in relations:
        for end in (relation.head, relation.tail):
            if isinstance(end, list | dict) or end not in keys:
                raise RowError(f"a relation joins {show_value(end)}, which is no mention", "Mend the relation.")
    return [
        {"head": keys[relation.head], "tail": keys[relation.tail], "label": relation.label}
        for relation in relations
    ]
