"""Words and a tag for each, as tables and lines of JSON hold them, turned into posts."""

from collections.abc import Mapping, Sequence
from typing import Any

from cotpd.counts import format_count
from cotpd.data.readers.file_format import Source
from cotpd.data.readers.json_shapes import TAG_KEYS, TOKEN_KEYS, find_list
from cotpd.data.readers.jsonl import read_knowledge, read_label, read_picture, read_string, read_text
from cotpd.data.readers.tag_names import name_tags
from cotpd.data.readers.values import RowError, read_id, show_value
from cotpd.data.records import Entity, Post
from cotpd.data.tag_schemes import TagReader

_IDS = ("id", "guid", "sentence_id", "sent_id", "idx")


def read_row_id(row: Mapping[str, Any], source: Source, number: int) -> str:
    """Return a row's id, or a number in its split if it has none."""
    key = next((key for key in _IDS if row.get(key) not in (None, "")), None)
    return source.name_row(number) if key is None else read_id(row[key], key)


def build_tagged_row(
    source: Source, row: Any, number: int, line: int, tags: TagReader, names: Sequence[str] | None
) -> Post:
    """Build the post of a row with words and tags.

    Args:
        source: The file.
        row: The row.
        number: Its number, for the id of a row without one.
        line: Its line.
        tags: Reads the tags of the file.
        names: The names of tags that are numbers.

    Raises:
        RowError: Words or tags are missing or do not fit each other.
    """
    words, key = find_list(row, TOKEN_KEYS), find_list(row, TAG_KEYS)
    if words is None or key is None:
        shown = ", ".join(map(show_value, list(row)[:8]))
        raise RowError(f"no words with tags; the row has {shown}", 'Write {"tokens": [...], "ner_tags": [...]}.')
    post_id = read_row_id(row, source, number)
    return build_tagged_post(source, post_id, row[words], name_tags(row[key], names), tags, line, row)


def build_tagged_post(
    source: Source,
    post_id: str,
    words: Sequence[str],
    tags: Sequence[str],
    reader: TagReader,
    line: int,
    meta: Mapping[str, Any],
) -> Post:
    """Build a post of words and one tag for each.

    Args:
        source: The file.
        post_id: The post's id.
        words: Its tokens.
        tags: Their tags.
        reader: Reads the tags of the file.
        line: The first line of the row.
        meta: May hold image, caption, knowledge, the label of the post, and the text that the words stand in.

    Raises:
        RowError: The numbers of words and tags differ, a word is empty, or a tag is none.
    """
    if len(words) != len(tags):
        raise RowError(
            f"{format_count(len(words), 'word')} and {format_count(len(tags), 'tag')}", "Each word has one tag."
        )
    text = meta.get("text")
    tokenized = read_text({"tokens": list(words), "text": text if isinstance(text, str) else None})
    try:
        spans = reader.decode(tags)
    except ValueError as error:
        raise RowError(str(error), "Mend the tag.") from None
    row = dict(meta)
    return Post(
        id=post_id,
        text=tokenized.text,
        tokens=tuple(token.text for token in tokenized.tokens),
        offsets=tuple((token.start, token.end) for token in tokenized.tokens),
        label=read_label(row) if isinstance(row.get("label"), str) else None,  # a list is of tags
        image=read_picture(row),
        entities=tuple(Entity(start=span.start, end=span.end, type=span.type) for span in spans),
        caption=read_string(row, "caption"),
        knowledge=read_knowledge(row),
        file=source.name,
        line=line,
    )
