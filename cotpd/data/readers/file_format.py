"""The parts that all readers share: the description of a format, and the way in which a bad row is set aside.

A reader is a generator of posts and quarantined rows. A bad row costs that row and never the file; only a file
that cannot be read at all raises.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from cotpd.data.readers.offsets import Unit
from cotpd.data.readers.values import RowError, make_writable, show_value
from cotpd.data.records import Entity, Post, Quarantined, TextRule

STEP = "prepare"
ROW_SHOWN = 300  # characters of a refused row that the quarantine table keeps
Rows = Iterator[Post | Quarantined]
Nested = Literal["refuse", "outermost", "innermost"]
Annotators = Literal["first", "latest", "agreed"]


@dataclass(frozen=True)
class ReadOptions:
    """The options for reading annotation, from the section data of params.yaml.

    Attributes:
        offsets: The unit in which start and end count.
        tag_column: The column of the tags: from 1 on, or from the end, -1 the last; None for the last.
        tag_names: The names that numbers in place of tags stand for; None if the data set has none.
        annotators: Whose annotation is read where there are several.
        nested: What becomes of a post whose mentions overlap.
        rule: The rule by which a row's text becomes words, unless the row brings its own.
    """

    offsets: Unit = "characters"
    tag_column: int | None = None
    tag_names: tuple[str, ...] | None = None
    annotators: Annotators = "first"
    nested: Nested = "refuse"
    rule: TextRule = "social"


@dataclass(frozen=True)
class Source:
    """One file of a data set.

    Attributes:
        path: The file.
        name: Its name in messages.
        split: The split that it holds.
        options: How its annotation is read.
        counts: Oddities that the reader counted without refusing a row: orphan tags, ignored keys, fine types.
        piece: The number of the file where a split is several, from 0.
    """

    path: Path
    name: str
    split: str
    options: ReadOptions = field(default_factory=ReadOptions)
    counts: Counter[str] = field(default_factory=Counter)
    piece: int = 0

    def name_row(self, number: int) -> str:
        """Return the id of a row that has none, from its number in the file."""
        return f"{self.split}-{f'{self.piece}-' if self.piece else ''}{number:05d}"

    @property
    def unit(self) -> Unit:
        """The unit of its offsets."""
        return self.options.offsets

    @property
    def rule(self) -> TextRule:
        """The rule by which text becomes words."""
        return self.options.rule


@dataclass(frozen=True)
class Format:
    """A format of data sets: how it is recognised, and the function that reads it.

    Attributes:
        name: Its name in ``data.format``.
        title: One line for people.
        suffixes: The endings of its files, the usual one first.
        is_format_of: Whether the first lines of a file are of this format; no two formats say so of one file.
        read: Reads one file.
        example: A few lines of it.
        image_ids: A post is named by its picture, so a repeated id is a second post and no mistake.
        published: Scores on its splits have been published, so no post is moved or dropped to clean them.
        tool_ids: A tool numbers the posts of each file from 1, so an id of another file is no mistake.
        find_splits: Finds the splits of a data set that is a folder of its own making; each is a folder or a file.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    is_format_of: Callable[[list[str]], bool]
    read: Callable[[Source], Rows]
    example: str
    image_ids: bool = False
    published: bool = True
    tool_ids: bool = False
    find_splits: Callable[[Path], dict[str, tuple[Path, ...]]] | None = None

    @property
    def suffix(self) -> str:
        """The usual ending of its files."""
        return self.suffixes[0]


def show_path(path: Path, root: Path) -> str:
    """Return a file's name for messages: its path from ``root``, or the whole path if it lies elsewhere."""
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    return make_writable(shown.as_posix())  # a file system may hold names that are not UTF-8, a table cannot


def build_or_refuse(
    source: Source, line: int, row: Any, build: Callable[[], Post], post_id: str = "", item: int = 0
) -> Post | Quarantined:
    """Build a post, or its quarantine row if that fails.

    Args:
        source: The file.
        line: The row's first line.
        row: The row itself, for the quarantine table.
        build: Builds the post, and raises RowError or pydantic's ValidationError for a bad row.
        post_id: The id, if the row could be read so far.
        item: The row's number in its list, where several rows stand on one line; otherwise 0.
    """
    try:
        post = build()
        _refuse_surrogates(post)
    except RowError as error:
        if error.notice:
            source.counts[error.notice] += 1
        return refuse_row(source, line, row, error, post_id, item)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        return refuse_row(source, line, row, RowError(f"{where}: {reason}" if where else reason), post_id, item)
    return post


def refuse_row(
    source: Source, line: int, row: Any, error: RowError, post_id: str = "", item: int = 0
) -> Quarantined:
    """Build the quarantine row of a bad row; ``item`` as for :func:`build_or_refuse`."""
    shown = row if isinstance(row, str) else show_value(row, ROW_SHOWN)
    return Quarantined(
        id=make_writable(post_id),
        step=STEP,
        reason=make_writable(f"item {item}: {error.reason}" if item else error.reason),
        remedy=make_writable(error.remedy),
        file=source.name,
        line=line,
        row=make_writable(shown[:ROW_SHOWN]),
    )


def _refuse_surrogates(post: Post) -> None:
    """Refuse half of a surrogate pair, which JSON can spell and no file can hold."""
    names = [entity.type or "" for entity in post.entities] + [relation.label for relation in post.relations]
    names.append(post.label or "")
    texts = [post.id, post.text, post.image or "", post.caption or "", *post.knowledge.values(), *names]
    if any(text != make_writable(text) for text in texts if not text.isascii()):
        raise RowError("half of a surrogate pair stands alone", "Write the whole character, e.g. an emoji.")


def refuse_overlaps(entities: Sequence[Entity], show: Callable[[Entity], str]) -> None:
    """Refuse typed entities that overlap: one BIO tag a token cannot hold both.

    Entities without a type only mark the ends of a relation, and may nest (MNRE: a team and the city in its name).

    Args:
        entities: The entities of one post.
        show: Returns the text of an entity.

    Raises:
        RowError: Two typed entities overlap.
    """
    typed = sorted((entity for entity in entities if entity.type), key=lambda entity: (entity.start, entity.end))
    for left, right in pairwise(typed):
        if right.start < left.end:
            raise RowError(
                f"entities overlap: {show(left)!r} ({left.type}) and {show(right)!r} ({right.type})",
                "Keep the longer or the more useful one of the two.",
            )
