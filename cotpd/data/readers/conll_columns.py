"""Columns of CoNLL: a token a line with its columns at tabs or blanks, a blank line behind each post.

CoNLL-2002 and 2003, WNUT, GermEval, MultiCoNER and their kin differ in the number of columns, in `-DOCSTART-`
lines and comments, and in tags. The number of columns is that of most lines. A line with another number costs its
post, since its tag would be read from the wrong column. Tokens are joined by single spaces.
"""

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse
from cotpd.data.readers.tag_names import name_tags
from cotpd.data.readers.tagged_posts import build_tagged_post
from cotpd.data.readers.text_files import read_head, read_numbered_lines
from cotpd.data.readers.twitter import IMAGE_LINE, Block, split_blocks
from cotpd.data.readers.values import RowError
from cotpd.data.records import Post
from cotpd.data.tag_schemes import Notation, TagReader, find_notation, is_tag, may_be_tag
from cotpd.errors import DataError

_BOUNDARY = "-DOCSTART-"
_COMMENT = re.compile(r"#\s*(?:sent_id|id)\s*[ =:]\s*(\S+)|#\s*\w+ *=")
_LEAST = 0.8  # of the first lines have as many columns as all have, and a tag in the one that is read
_LINES = 400
EXAMPLE = """\
-DOCSTART- -X- O O
Ada NNP B-NP B-PER
Lovelace NNP I-NP I-PER
visits VBZ B-VP O
London NNP B-NP B-LOC
                      <- a blank line ends the post; 2 columns or more, at tabs or blanks; the last is the tag
                         (data.tag_column: 3 reads the third). IOB1, IOB2, IO, IOBES, BILOU are recognised"""


class Layout(NamedTuple):
    """Where token and tag stand in a line of ``width`` columns; ``others`` are further columns that hold tags."""

    width: int
    token: int
    tag: int
    notation: Notation
    others: tuple[int, ...] = ()


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    layout = find_layout(read_head(source.path, source.name), source)
    reader = TagReader(layout.notation)
    lines = _separate_documents(read_numbered_lines(source.path, source.name))
    for number, block in enumerate(split_blocks(lines), 1):
        row = "\n".join(line for _, line in block)
        build = partial(_build_post, source, block, number, layout, reader)
        yield build_or_refuse(source, block[0][0], row, build)
    source.counts.update(reader.summarize())
    if layout.others:
        columns = ", ".join(str(column + 1) for column in layout.others)
        source.counts[f"tag_columns:{layout.tag + 1} is read, {columns} too hold tags"] = 1


def find_layout(head: list[str], source: Source) -> Layout:
    """Find the columns of a file by its first lines.

    Raises:
        DataError: ``data.tag_column`` names a column that the file does not have.
    """
    rows = _list_rows(head)
    width = _find_width(rows)
    rows = [row for row in rows if len(row) == width]
    column = source.options.tag_column
    if column is not None and not (-width <= column < 0 or 0 < column <= width):
        raise DataError(
            f"{source.name}: has no column {column}: its lines have {width}",
            f"Set data.tag_column to 1 to {width}.",
        )
    tag = width - 1 if column is None else column % width if column < 0 else column - 1
    token = 1 if width > 2 and tag > 1 and _is_numbered(head) else 0
    others = [index for index in range(token + 1, width) if index != tag and _hold_tags(rows, index)]
    return Layout(width, token, tag, find_notation(row[tag] for row in rows), tuple(others))


def split_line(line: str) -> list[str]:
    """Split a line into its columns, at tabs or, in files without, at plain blanks."""
    stripped = line.rstrip(" \t\r")
    return stripped.split("\t") if "\t" in stripped else re.split(" +", stripped.strip(" "))


def _separate_documents(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the lines with a blank one in place of each that opens a document."""
    for number, line in lines:
        yield number, "" if line.startswith(_BOUNDARY) else line


def _list_rows(head: list[str]) -> list[list[str]]:
    """Return the columns of the first lines, comments, pictures and boundaries left out."""
    lines = [line for line in head[:_LINES] if line.strip()]
    marks = (_BOUNDARY, IMAGE_LINE, "#")  # a word # tells no more of the columns than others do
    return [split_line(line) for line in lines if not line.startswith(marks)]


def _find_width(rows: list[list[str]]) -> int:
    widths = Counter(len(row) for row in rows if len(row) > 1)
    return widths.most_common(1)[0][0] if widths else 2


def _is_numbered(head: list[str]) -> bool:
    """Whether the first column counts the tokens of each post from 1 (GermEval), or from 0."""
    expected, matches, total = 1, 0, 0
    for line in head[:_LINES]:
        if not line.strip():
            expected = 1
        elif not line.startswith("#"):
            first = split_line(line)[0]
            expected = 0 if first == "0" else expected
            matches += first == str(expected)
            expected, total = expected + 1, total + 1
    return total > 1 and matches >= _LEAST * total


def _hold_tags(rows: list[list[str]], index: int) -> bool:
    cells = [row[index] for row in rows]
    return sum(map(may_be_tag, cells)) >= _LEAST * len(cells) > 0


def _build_post(source: Source, block: Block, number: int, layout: Layout, reader: TagReader) -> Post:
    image = block[0][1].removeprefix(IMAGE_LINE).strip() if block[0][1].startswith(IMAGE_LINE) else ""
    post_id = image or source.name_row(number)
    words: list[str] = []
    tags: list[str] = []
    for line_number, line in block[1:] if image else block:
        columns = split_line(line)
        is_token = len(columns) == layout.width and is_tag(columns[layout.tag].strip())
        comment = None if words or is_token else _COMMENT.match(line)
        if comment or (not words and columns[0] == "#" and len(columns) != layout.width):
            post_id = (comment and comment[1]) or post_id
            continue
        if _is_blank_word(columns, line, layout):
            source.counts["blank_words"] += 1
            continue
        _check_width(columns, line_number, line, layout)
        words.append(columns[layout.token])
        tags.append(columns[layout.tag].strip())
    if not words:
        raise RowError("the post has no tokens", "Remove it, or add its tokens.")
    tags = name_tags(tags, source.options.tag_names)
    return build_tagged_post(source, post_id, words, tags, reader, block[0][0], {"image": image or None})


def _is_blank_word(columns: list[str], line: str, layout: Layout) -> bool:
    """Whether the word of a line is a blank, as texts cut into signs have it; blanks are no words."""
    if len(columns) == layout.width:
        return bool(columns[layout.token]) and not columns[layout.token].strip()
    return len(columns) == layout.width - 1 and line[:1].isspace() and may_be_tag(columns[-1])


def _check_width(columns: list[str], number: int, line: str, layout: Layout) -> None:
    if len(columns) != layout.width:
        width = format_count(len(columns), "column")
        raise RowError(
            f"line {number} has {width} where the others have {layout.width}: {line[:60]!r}",
            "Mend the line; columns stand at tabs or at blanks.",
        )
    if not columns[layout.token]:
        raise RowError(f"line {number} has no token: {line[:60]!r}", "Mend the line.")


def is_format_of(head: list[str]) -> bool:
    """Whether most of the first lines are a token and its tag; with pictures, only if there are more columns."""
    rows = _list_rows(head[:-1] if len(head) > 1 else head)  # the last one may be cut
    width = _find_width(rows)
    if not rows or head[0].startswith("#FORMAT=") or (width == 2 and any(IMAGE_LINE in line for line in head)):
        return False
    fitting = [row for row in rows if len(row) == width]
    if len(fitting) < _LEAST * len(rows):
        return False
    outside = sum(row[-1] in ("O", "o", "0") for row in fitting)
    return any(_hold_tags(fitting, index) for index in range(1, width)) or outside >= len(fitting) / 2


FORMAT = Format(
    name="conll",
    title="CoNLL: {train,valid,test}.txt (.conll, .bio, .tsv), a token a line in columns, the last its tag",
    suffixes=(".txt", ".conll", ".bio", ".iob", ".iob2", ".tsv", ".conll03", ".annotated", ""),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
    image_ids=True,
)
