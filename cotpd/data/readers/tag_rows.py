"""Lines of JSON with words and tags: `tokens` and `ner_tags` (or `tags`), as names or as numbers of names."""

from functools import partial
from itertools import chain
from typing import Any

from cotpd.data.readers.file_format import Format, Rows, Source
from cotpd.data.readers.json_posts import read_rows
from cotpd.data.readers.json_shapes import TAG_KEYS, find_list, name_json_format
from cotpd.data.readers.json_values import iterate_json_rows, parse_head
from cotpd.data.readers.tagged_posts import build_tagged_row
from cotpd.data.readers.text_files import read_head
from cotpd.data.readers.values import RowError, show_value
from cotpd.data.records import Post
from cotpd.data.tag_schemes import Notation, TagReader, find_notation

EXAMPLE = """\
{"id": "1", "tokens": ["Ada", "visits", "London"], "ner_tags": ["B-PER", "O", "B-LOC"]}
                      <- one on each line; tags may be numbers: labels.txt beside it, or data.tag_names,
                         names them, one a line, the first for 0"""


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    reader = TagReader(_find_notation(source))
    rows = enumerate(iterate_json_rows(source.path, source.name), 1)
    yield from read_rows(source, "tags", rows, partial(_build_post, reader), "Mend the line.")
    source.counts.update(reader.summarize())


def _build_post(reader: TagReader, source: Source, row: Any, number: int, line: int) -> Post:
    if not isinstance(row, dict):
        raise RowError(f"the row {show_value(row)} is no object", 'Write {"tokens": [...], "ner_tags": [...]}.')
    return build_tagged_row(source, row, number, line, reader, source.options.tag_names)


def _find_notation(source: Source) -> Notation:
    """Find how the tags of the first rows are written."""
    rows = [row for row in parse_head(read_head(source.path, source.name)) if isinstance(row, dict)]
    tags = list(chain.from_iterable(row.get(find_list(row, TAG_KEYS) or "", ()) for row in rows))
    if all(isinstance(tag, int) or (isinstance(tag, str) and tag.isdecimal()) for tag in tags):
        tags = list(source.options.tag_names or ())
    return find_notation(tag for tag in tags if isinstance(tag, str))


FORMAT = Format(
    name="tags",
    title="tags: {train,valid,test}.jsonl, words with tags on each line",
    suffixes=(".jsonl", ".json"),
    is_format_of=lambda head: name_json_format(head) == "tags",
    read=read,
    example=EXAMPLE,
)
