"""CSV and its kin: a row a post, a row a token, or a row a mention, told by the header."""

import re
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

from cotpd.data.readers.csv_tables import (
    Line,
    Table,
    check_width,
    describe_header,
    group_lines,
    open_table,
)
from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.tagged_posts import build_tagged_post, read_row_id
from cotpd.data.readers.values import RowError, parse_json, parse_literal, show_value
from cotpd.data.records import Post
from cotpd.data.tag_schemes import Notation, TagReader, find_notation, is_tag

EXAMPLE = """\
id,text,entities
1,Ada visits London,"[{""start"": 0, ""end"": 3, ""type"": ""PER""}]"
                      <- a row a post; entities and relations as in jsonl. Or a row a mention:
id;text;start;end;type
1;Ada visits London;0;3;PER
                      <- or a row a post with its label alone (task: sentiment):
text,label
Ada visits London,neutral
                      <- or a row a token; an empty sentence is the one above:
sentence,word,tag
1,Ada,B-PER
,visits,O"""
_WHOLE_FLOAT = re.compile(r"(\d+)\.0+")  # pandas writes a column of numbers and gaps so
_LOOKED_AT = 2000  # rows of tokens, for the notation of their tags


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    table, header, lines = open_table(source.path, source.name)
    read_lines = {"posts": _read_posts, "mentions": _read_mentions, "tokens": _read_tokens}[table.kind]
    yield from read_lines(source, table, header, lines)


def _read_posts(source: Source, table: Table, header: Line, lines: Iterator[Line]) -> Rows:
    for number, line in enumerate(lines, 1):
        build = partial(_build_row, source, table, header, line, number)
        yield build_or_refuse(source, line.number, table.join([line]), build, table.get(line, "id"))


def _build_row(source: Source, table: Table, header: Line, line: Line, number: int) -> Post:
    """Build the post of a row whose entities and relations are lists."""
    check_width(line, header)
    values = {name: table.get(line, name) for name in table.columns}
    label = values.get("label") or None
    if label is not None and label.lstrip().startswith("[{"):  # Label Studio has mentions under a control's name
        values["entities"], label = label, None
    if label is not None and "#" in label and "comments" in values:  # doccano joins several labels
        raise RowError(f"the post has the labels {label.split('#')}", "Leave it one label.")
    tags = (label or "").replace(",", " ").split()
    if len(tags) > 1 and all(map(is_tag, tags)):
        raise RowError(f"the label {show_value(label)} is a tag for each word", "Write a row for each word.")
    marks, relations = _parse_cell(values, "entities"), _parse_cell(values, "relations")
    mentions = [_read_mark(mark, position) for position, mark in enumerate(marks)]
    links = [_read_link(link) for link in relations]
    meta: dict[str, Any] = {name: values[name] for name in ("image", "caption") if values.get(name)}
    for name in ("tokens", "knowledge"):
        if values.get(name, "").strip():
            meta[name] = parse_json(values[name])
    raw = RawPost(read_row_id(values, source, number), values["text"], mentions, links, meta, label)
    return build_post(source, raw, line.number)


def _parse_cell(values: dict[str, str], name: str) -> list[Any]:
    """Return the list in a cell, as JSON or as Python prints it; an empty cell is an empty list."""
    cell = values.get(name, "").strip()
    if not cell:
        return []
    try:
        rows = parse_json(cell)
    except RowError as error:
        rows = _parse_python_list(cell, error)
    if not isinstance(rows, list) or not all(isinstance(row, dict | list | tuple) for row in rows):
        raise RowError(
            f"{name} is {show_value(cell)}, not a list", 'Write [{"start": 0, "end": 3, "type": "PER"}].'
        )
    return rows


def _parse_python_list(cell: str, error: RowError) -> Any:
    """Return the list that a cell holds as Python prints it.

    Raises:
        RowError: It holds none: ``error``, which says why it is not JSON either.
    """
    try:
        return parse_literal(cell)
    except RowError:
        raise error from None


def _read_mark(mark: Any, number: int) -> RawMention:
    if isinstance(mark, list | tuple) and len(mark) == 3:
        return RawMention(number, *mark)
    if not isinstance(mark, dict):
        raise RowError(f"the entity {show_value(mark)} is not start, end and type", "Mend the cell.")
    surface, labels = mark.get("text"), mark.get("labels")
    label = mark.get("type", mark.get("label"))
    if label is None and isinstance(labels, list) and labels:
        label = labels[0] if len(labels) == 1 else labels
    return RawMention(
        number, mark.get("start"), mark.get("end"), label, surface if isinstance(surface, str) else None
    )


def _read_link(link: Any) -> RawRelation:
    if not isinstance(link, dict):
        raise RowError(
            f"the relation {show_value(link)} is no object", 'Write {"head": 0, "tail": 1, "label": "..."}.'
        )
    return RawRelation(link.get("head"), link.get("tail"), link.get("label"))


def _read_mentions(source: Source, table: Table, header: Line, lines: Iterator[Line]) -> Rows:
    """Read a row a mention; the rows of a post stand together, and one without offsets says that it has none."""
    ended: set[int] = set()  # hashes: a long table has many ids
    groups = group_lines(lines, lambda line: table.get(line, "id") or table.get(line, "text"))
    for number, group in enumerate(groups, 1):
        post_id = table.get(group[0], "id")
        is_apart = bool(post_id) and hash(post_id) in ended
        ended.add(hash(post_id))
        build = partial(_build_group, source, table, header, group, number, is_apart=is_apart)
        yield build_or_refuse(source, group[0].number, table.join(group), build, post_id)


def _build_group(
    source: Source, table: Table, header: Line, group: list[Line], number: int, *, is_apart: bool
) -> Post:
    if is_apart:
        raise RowError(
            "rows of this id stand further up, apart from these",
            "Sort the table by id: the rows of a post stand together.",
        )
    mentions = []
    for position, line in enumerate(group):
        check_width(line, header)
        if table.get(line, "text") not in ("", table.get(group[0], "text")):
            raise RowError("rows of one id have different texts", "Give each post an id of its own.")
        start, end = (_read_offset(table.get(line, name)) for name in ("start", "end"))
        if start or end:
            surface = table.get(line, "surface") or None
            mentions.append(RawMention(position, start, end, table.get(line, "type"), surface))
    post_id = read_row_id({"id": table.get(group[0], "id")}, source, number)
    return build_post(source, RawPost(post_id, table.get(group[0], "text"), mentions), group[0].number)


def _read_offset(cell: str) -> str:
    match = _WHOLE_FLOAT.fullmatch(cell.strip())
    return match[1] if match else cell.strip()


def _read_tokens(source: Source, table: Table, header: Line, lines: Iterator[Line]) -> Rows:
    """Read a row a token; a sentence's name stands in each of its rows, or in the first one alone."""
    reader = TagReader(_find_notation(source))
    groups = group_lines(_fill_down(lines, table), lambda line: table.get(line, "sentence"))
    for number, group in enumerate(groups, 1):
        build = partial(_build_tokens, source, table, header, group, number, reader)
        row = " ".join(table.get(line, "word") for line in group)
        yield build_or_refuse(source, group[0].number, row, build)
    source.counts.update(reader.summarize())


def _find_notation(source: Source) -> Notation:
    """Find how the tags of the first rows are written."""
    table, _, lines = open_table(source.path, source.name)
    return find_notation(table.get(line, "tag").strip() for line in islice(lines, _LOOKED_AT))


def _fill_down(lines: Iterator[Line], table: Table) -> Iterator[Line]:
    """Yield the rows with the name of their sentence in each."""
    name, index = "", table.columns.get("sentence")
    for line in lines:
        if index is not None and index < len(line.cells):
            name = line.cells[index].strip() or name
            line.cells[index] = name
        yield line


def _build_tokens(
    source: Source, table: Table, header: Line, group: list[Line], number: int, reader: TagReader
) -> Post:
    for line in group:
        check_width(line, header)
    words = [table.get(line, "word").strip() for line in group]
    tags = [table.get(line, "tag").strip() for line in group]
    return build_tagged_post(source, source.name_row(number), words, tags, reader, group[0].number, {})


def is_format_of(head: list[str]) -> bool:
    """Whether the header names columns of annotation."""
    lines = head[1:] if head and head[0].lower().startswith("sep=") else head
    return bool(lines) and describe_header(lines[0]) is not None


FORMAT = Format(
    name="csv",
    title="CSV: {train,valid,test}.csv (.tsv), a row a post, a mention or a token; as Excel writes it, too",
    suffixes=(".csv", ".tsv", ".txt"),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
    published=False,
)
