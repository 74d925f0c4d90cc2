"""CSV and its kin: a row a post, a row a token, or a row a mention, told by the header.

The separator (comma, semicolon, tab) is that of the header, and Excel's `sep=;` line is obeyed. Excel's "Unicode
text" is UTF-16, which is read here, as Excel offers little else; other encodings are refused with the command to
convert.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.tagged_posts import build_tagged_post, read_row_id
from cotpd.data.readers.text_files import iterate_wide_text
from cotpd.data.readers.values import RowError, parse_json, show_value
from cotpd.data.records import Post
from cotpd.data.tag_schemes import TagReader, are_bare
from cotpd.errors import DataError

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
SEPARATORS = (",", ";", "\t", "|")
_ALIASES = {
    "text": "text post tweet content sentence_text message body",
    "word": "word token",
    "sentence": "sentence sentence_id sentenceid sent_id sent",
    "tag": "tag ner_tag ner bio iob label",
    "start": "start begin start_offset start_char",
    "end": "end stop end_offset end_char",
    "type": "type label entity_type tag class",
    "id": "id post_id guid doc_id text_id",
}
_LABELS = ("label", "sentiment", "class", "category")  # of a whole post
_HEADER = "Name them text and entities; text and label; text, start, end and type; or sentence, word and tag."
_MOST = 1 << 24  # characters of a cell


class Table(NamedTuple):
    """The kind of a table (posts, mentions or tokens), its separator and its columns by our names for them."""

    kind: str
    separator: str
    columns: dict[str, int]


class Line(NamedTuple):
    """A row of cells and the line on which it begins."""

    number: int
    cells: list[str]


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    lines = _iterate_rows(source)
    table, header = next(lines)
    rows = (line for _, line in lines)
    read_rows = {"posts": _read_posts, "mentions": _read_mentions, "tokens": _read_tokens}[table.kind]
    yield from read_rows(source, table, header.cells, rows)


def _iterate_rows(source: Source) -> Iterator[tuple[Table, Line]]:
    """Yield the header and every row that is not empty, each with the description of the table.

    Raises:
        DataError: The header has no columns that are read.
    """
    lines = _split_lines(iterate_wide_text(source.path, source.name))
    csv.field_size_limit(_MOST)
    first = next(lines, "")
    skipped = 0
    if first.lower().startswith("sep="):
        first, skipped = next(lines, ""), 1
    table = describe_header(first)
    if table is None:
        raise DataError(f"{source.name}: no columns of annotation in {first.strip()[:80]!r}", _HEADER)
    reader = csv.reader(chain([first], lines), delimiter=table.separator)
    number = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = [f"\0{error}"]  # the row is refused with this reason
        if any(cell.strip() for cell in cells):
            yield table, Line(number + skipped, cells)
        number = reader.line_num + 1


def _split_lines(pieces: Iterable[str]) -> Iterator[str]:
    """Split pieces of text into lines with their ends, as csv needs them."""
    pending = ""
    for piece in pieces:
        *lines, pending = (pending + piece).split("\n")
        yield from (f"{line}\n" for line in lines)
    if pending:
        yield pending


def describe_header(header: str) -> Table | None:
    """Return what a header says of its table; None if it has no columns of annotation."""
    for separator in sorted(SEPARATORS, key=header.count, reverse=True):
        names = [name.strip().strip('"').lower() for name in header.strip("\r\n").split(separator)]
        names = [name.replace(" ", "_").replace("#", "id").replace("_id_", "_id") for name in names]
        if len(names) > 1 and (table := _describe_names(names, separator)) is not None:
            return table
    return None


def _describe_names(names: Sequence[str], separator: str) -> Table | None:
    columns = {own: _find(names, aliases.split()) for own, aliases in _ALIASES.items()}
    present = {own: index for own, index in columns.items() if index is not None}
    plain = {name: index for index, name in enumerate(names) if name}
    if "text" in present and ("entities" in plain or "relations" in plain):
        return Table("posts", separator, plain | {"text": present["text"]})
    if {"text", "start", "end", "type"} <= set(present):
        return Table("mentions", separator, present)
    if {"word", "tag"} <= set(present):
        return Table("tokens", separator, present)
    label = _find(names, _LABELS)
    if "text" in present and label is not None and not {"start", "end"} & set(present):
        return Table("posts", separator, plain | {"text": present["text"], "label": label})
    return None


def _find(names: Sequence[str], aliases: Sequence[str]) -> int | None:
    """Return the column with the first of some names."""
    return next((names.index(alias) for alias in aliases if alias in names), None)


def _get(line: Line, table: Table, name: str) -> str:
    index = table.columns.get(name)
    return line.cells[index] if index is not None and index < len(line.cells) else ""


def _check_width(line: Line, header: Sequence[str]) -> None:
    if line.cells[0].startswith("\0"):
        raise RowError(f"not a row of CSV: {line.cells[0][1:]}", "Mend its quotes.")
    if len(line.cells) != len(header):
        raise RowError(
            f"the row has {len(line.cells)} cells and the header {len(header)}",
            "Quote cells that hold a separator.",
        )


def _read_posts(source: Source, table: Table, header: list[str], lines: Iterator[Line]) -> Rows:
    for number, line in enumerate(lines, 1):
        build = partial(_build_row, source, table, header, line, number)
        yield build_or_refuse(
            source, line.number, table.separator.join(line.cells), build, _get(line, table, "id")
        )


def _build_row(source: Source, table: Table, header: list[str], line: Line, number: int) -> Post:
    """Build the post of a row whose entities and relations are JSON."""
    _check_width(line, header)
    values = {name: _get(line, table, name) for name in table.columns}
    marks, relations = _parse_cell(values, "entities"), _parse_cell(values, "relations")
    mentions = [_read_mark(mark, position) for position, mark in enumerate(marks)]
    links = [_read_link(link) for link in relations]
    meta: dict[str, Any] = {name: values[name] for name in ("image", "caption") if values.get(name)}
    for name in ("tokens", "knowledge"):
        if values.get(name, "").strip():
            meta[name] = parse_json(values[name])
    label = values.get("label") or None
    raw = RawPost(read_row_id(values, source, number), values["text"], mentions, links, meta, label)
    return build_post(source, raw, line.number)


def _parse_cell(values: dict[str, str], name: str) -> list[Any]:
    """Return the list in a cell; an empty cell is an empty list."""
    cell = values.get(name, "").strip()
    if not cell:
        return []
    rows = parse_json(cell)
    if not isinstance(rows, list) or not all(isinstance(row, dict | list) for row in rows):
        raise RowError(
            f"{name} is {show_value(cell)}, not a list", 'Write [{"start": 0, "end": 3, "type": "PER"}].'
        )
    return rows


def _read_mark(mark: Any, number: int) -> RawMention:
    if isinstance(mark, list) and len(mark) == 3:
        return RawMention(number, *mark)
    if not isinstance(mark, dict):
        raise RowError(f"the entity {show_value(mark)} is not start, end and type", "Mend the cell.")
    surface = mark.get("text")
    label = mark.get("type", mark.get("label"))
    return RawMention(
        number, mark.get("start"), mark.get("end"), label, surface if isinstance(surface, str) else None
    )


def _read_link(link: Any) -> RawRelation:
    if not isinstance(link, dict):
        raise RowError(
            f"the relation {show_value(link)} is no object", 'Write {"head": 0, "tail": 1, "label": "..."}.'
        )
    return RawRelation(link.get("head"), link.get("tail"), link.get("label"))


def _read_mentions(source: Source, table: Table, header: list[str], lines: Iterator[Line]) -> Rows:
    """Read a row a mention; the rows of a post stand together, and one without offsets says that it has none."""
    for number, group in enumerate(
        _group(lines, lambda line: _get(line, table, "id") or _get(line, table, "text")), 1
    ):
        build = partial(_build_group, source, table, header, group, number)
        row = "\n".join(table.separator.join(line.cells) for line in group)
        yield build_or_refuse(source, group[0].number, row, build, _get(group[0], table, "id"))


def _build_group(source: Source, table: Table, header: list[str], group: list[Line], number: int) -> Post:
    mentions = []
    for position, line in enumerate(group):
        _check_width(line, header)
        if _get(line, table, "text") not in ("", _get(group[0], table, "text")):
            raise RowError("rows of one id have different texts", "Give each post an id of its own.")
        start, end = _get(line, table, "start").strip(), _get(line, table, "end").strip()
        if start or end:
            mentions.append(RawMention(position, start, end, _get(line, table, "type")))
    post_id = read_row_id({"id": _get(group[0], table, "id")}, source, number)
    return build_post(source, RawPost(post_id, _get(group[0], table, "text"), mentions), group[0].number)


def _read_tokens(source: Source, table: Table, header: list[str], lines: Iterator[Line]) -> Rows:
    """Read a row a token; a sentence's name stands in each of its rows, or in the first one alone."""
    first = next(lines, None)
    if first is None:
        return
    reader = TagReader(is_bare=False)
    groups = _group(_fill_down(chain([first], lines), table), lambda line: _get(line, table, "sentence"))
    for number, group in enumerate(groups, 1):
        if number == 1:
            reader = TagReader(is_bare=are_bare([_get(line, table, "tag").strip() for line in group]))
        build = partial(_build_tokens, source, table, header, group, number, reader)
        row = " ".join(_get(line, table, "word") for line in group)
        yield build_or_refuse(source, group[0].number, row, build)
    source.counts.update(reader.summarize())


def _fill_down(lines: Iterator[Line], table: Table) -> Iterator[Line]:
    """Yield the rows with the name of their sentence in each."""
    name, index = "", table.columns.get("sentence")
    for line in lines:
        if index is not None and index < len(line.cells):
            name = line.cells[index].strip() or name
            line.cells[index] = name
        yield line


def _build_tokens(
    source: Source, table: Table, header: list[str], group: list[Line], number: int, reader: TagReader
) -> Post:
    for line in group:
        _check_width(line, header)
    words = [_get(line, table, "word").strip() for line in group]
    tags = [_get(line, table, "tag").strip() for line in group]
    return build_tagged_post(source, f"{source.split}-{number:05d}", words, tags, reader, group[0].number, {})


def _group(lines: Iterator[Line], get_key: Any) -> Iterator[list[Line]]:
    """Put rows together that follow each other and have the same key."""
    group: list[Line] = []
    for line in lines:
        if group and get_key(line) != get_key(group[0]):
            yield group
            group = []
        group.append(line)
    if group:
        yield group


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
