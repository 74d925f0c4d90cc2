"""Twitter-2015 and Twitter-2017: a picture's id, then one token and its BIO tag a line.

Tokens are joined by single spaces, because the release does not say how they were separated; spans count tokens,
so no annotation is lost by it. CRLF and LF line ends both occur in the published files and are read alike.
"""

import re
from collections.abc import Iterable, Iterator
from functools import partial

from cotpd.counts import format_count
from cotpd.data.bio import decode_tags
from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse
from cotpd.data.readers.text_files import read_numbered_lines
from cotpd.data.readers.values import RowError
from cotpd.data.records import Entity, Post
from cotpd.data.tokenization import join_tokens

IMAGE_LINE = "IMGID:"
Block = list[tuple[int, str]]

EXAMPLE = """\
IMGID:1234
Ada\tB-PER
Lovelace\tI-PER
visits\tO
London\tB-LOC
                      <- a blank line ends the post"""


def split_blocks(lines: Iterable[tuple[int, str]]) -> Iterator[Block]:
    """Split numbered lines into blocks at blank lines; an IMGID line opens a block even without a blank line.

    A line of spaces or tabs counts as blank: some editors and exports leave the columns' separators there.
    """
    block: Block = []
    for number, line in lines:
        if block and (not line.strip() or line.startswith(IMAGE_LINE)):
            yield block
            block = []
        if line.strip():
            block.append((number, line))
    if block:
        yield block


def split_columns(number: int, line: str) -> tuple[str, str]:
    """Split a line into token and tag, at a tab or, in some copies, at spaces.

    Raises:
        RowError: There are fewer columns, or more: those in the middle would become part of the token.
    """
    columns = line.rstrip(" \t\r").split("\t") if "\t" in line else _split_at_spaces(line)
    if IMAGE_LINE in columns[-1]:
        raise RowError(
            f"line {number} holds {IMAGE_LINE} behind a tag: {line[:60]!r}",
            "Two files were put together without a line end between them: begin a new line there.",
        )
    if len(columns) < 2 or not columns[0] or not columns[-1]:
        raise RowError(f"line {number} is not a token and a tag: {line[:60]!r}", "Write token<TAB>tag.")
    if len(columns) > 2:
        shown = ", ".join(repr(column[:30]) for column in columns[:6])
        separator = r"-F'\t' " if "\t" in line else ""
        raise RowError(
            f"line {number} has {format_count(len(columns), 'column')} where token and tag are read: {shown}",
            f"Leave the first and the last: awk {separator}-v OFS='\\t' 'NF>1 {{print $1, $NF; next}} 1'",
        )
    return columns[0], columns[1].strip()


def _split_at_spaces(line: str) -> list[str]:
    """Split at plain spaces alone: a no-break space may stand in a token."""
    return re.split(" +", line.strip(" \r"))


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    for block in split_blocks(read_numbered_lines(source.path, source.name)):
        line, first = block[0]
        image = first.removeprefix(IMAGE_LINE).strip() if first.startswith(IMAGE_LINE) else ""
        row = "\n".join(text for _, text in block)
        yield build_or_refuse(source, line, row, partial(_build_post, source, block, image), image)


def _split_post(block: Block, image: str) -> list[tuple[str, str]]:
    """Return the tokens of a post and their tags."""
    if not image:
        raise RowError(
            "no IMGID line before the tokens",
            "Begin each post with IMGID:<id>; a blank line inside a post also does this.",
        )
    columns = [split_columns(number, line) for number, line in block[1:]]
    if not columns:
        raise RowError("the post has no tokens", "Remove it, or add its tokens below the IMGID line.")
    return columns


def _build_post(source: Source, block: Block, image: str) -> Post:
    columns = _split_post(block, image)
    tokens = [token for token, _ in columns]
    try:
        spans, orphans = decode_tags([tag for _, tag in columns])
    except ValueError as error:
        raise RowError(str(error), "Mend the tag.") from None
    text, offsets = join_tokens(tokens)
    post = Post(
        id=image,
        text=text,
        tokens=tuple(tokens),
        offsets=tuple(offsets),
        image=image,
        entities=tuple(Entity(start=span.start, end=span.end, type=span.type) for span in spans),
        file=source.name,
        line=block[0][0],
    )
    source.counts["orphan_tags"] += orphans
    return post


def is_format_of(head: list[str]) -> bool:
    """Whether one of the first lines names a picture; the very first may be damaged."""
    rows = [len(line.split()) for line in head if line.strip() and not line.startswith(IMAGE_LINE)]
    is_wide = sum(count > 2 for count in rows) > len(rows) / 2  # of further columns: conll
    return not is_wide and any(line.startswith(IMAGE_LINE) for line in head)


FORMAT = Format(
    name="twitter",
    title="Twitter-2015, Twitter-2017: {train,valid,test}.txt, token and BIO tag a line",
    suffixes=(".txt",),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
    image_ids=True,
)
