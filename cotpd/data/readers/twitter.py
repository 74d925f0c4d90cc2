"""Twitter-2015 and Twitter-2017: a picture's id, then one token and its BIO tag a line.

Tokens are joined by single spaces, because the release does not say what stood between them; spans count tokens,
so nothing is lost by it. CRLF and LF line ends both occur in the published files and are read alike.
"""

from collections.abc import Iterator

from cotpd.data.bio import read_tags
from cotpd.data.readers.base import Format, RowError, Rows, Source, attempt, numbered_lines
from cotpd.data.records import Entity, Post
from cotpd.data.text import join_tokens

IMAGE_LINE = "IMGID:"
Block = list[tuple[int, str]]

EXAMPLE = """\
IMGID:1234
Ada\tB-PER
Lovelace\tI-PER
visits\tO
London\tB-LOC
                      <- a blank line ends the post"""


def blocks(lines: list[tuple[int, str]]) -> Iterator[Block]:
    """Runs of lines between blank ones; an IMGID line opens a new run even where the blank line is missing."""
    block: Block = []
    for number, line in lines:
        if block and (not line or line.startswith(IMAGE_LINE)):
            yield block
            block = []
        if line:
            block.append((number, line))
    if block:
        yield block


def token_and_tag(number: int, line: str) -> tuple[str, str]:
    """The two columns of a line, separated by a tab or, in some copies, by the last blank."""
    parts = line.rsplit("\t", 1) if "\t" in line else line.rsplit(None, 1)
    if len(parts) != 2 or not parts[0]:
        raise RowError(f"line {number} is not a token and a tag: {line[:60]!r}", "Write token<TAB>tag.")
    return parts[0], parts[1].strip()


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.base.Format`."""
    for block in blocks(numbered_lines(source.path, source.name)):
        line, first = block[0]
        image = first.removeprefix(IMAGE_LINE).strip() if first.startswith(IMAGE_LINE) else ""
        row = "\n".join(text for _, text in block)
        yield attempt(source, line, row, lambda block=block, image=image: _post(source, block, image), image)


def _post(source: Source, block: Block, image: str) -> Post:
    if not image:
        raise RowError(
            "no IMGID line before the tokens",
            "Begin each post with IMGID:<id>; a blank line inside a post also does this.",
        )
    columns = [token_and_tag(number, line) for number, line in block[1:]]
    if not columns:
        raise RowError("the post has no tokens", "Remove it, or add its tokens below the IMGID line.")
    tokens = [token for token, _ in columns]
    try:
        spans, orphans = read_tags([tag for _, tag in columns])
    except ValueError as error:
        raise RowError(str(error), "Mend the tag.") from None
    text, offsets = join_tokens(tokens)
    post = Post(
        id=image,
        text=text,
        tokens=tuple(tokens),
        offsets=tuple(offsets),
        image=image,
        entities=tuple(Entity(start=start, end=end, type=kind) for start, end, kind in spans),
        file=source.name,
        line=block[0][0],
    )
    source.counts["orphan_tags"] += orphans
    return post


def looks_like(head: list[str]) -> bool:
    """The first line that is not blank names a picture."""
    return next((line.startswith(IMAGE_LINE) for line in head if line.strip()), False)


FORMAT = Format(
    name="twitter",
    title="Twitter-2015, Twitter-2017: {train,valid,test}.txt, token and BIO tag a line",
    suffix=".txt",
    looks_like=looks_like,
    read=read,
    example=EXAMPLE,
    image_ids=True,
)
