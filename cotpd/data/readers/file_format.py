"""What the readers share: a format's description, and setting one bad row aside.

A reader is a generator of posts and quarantined rows. A row that makes no sense costs that row, never the file;
only a file that cannot be read at all raises.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cotpd.data.readers.offsets import Unit
from cotpd.data.readers.values import RowError, show_value, writable
from cotpd.data.records import Entity, Post, Quarantined

STEP = "prepare"
ROW_SHOWN = 300  # characters of a refused row that are kept for the message
Rows = Iterator[Post | Quarantined]


@dataclass(frozen=True)
class Source:
    """One file of a data set.

    Attributes:
        path: The file.
        name: How messages call it.
        split: The split it holds.
        unit: The unit of its offsets.
        counts: Oddities that the reader met without refusing them: orphan tags, ignored keys, fine types.
    """

    path: Path
    name: str
    split: str
    unit: Unit = "characters"
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Format:
    """How a data set is written.

    Attributes:
        name: What ``data.format`` calls it.
        title: One line for people.
        suffix: The ending of its files.
        looks_like: Whether the first lines of a file are of this format.
        read: Reads one file.
        example: A few lines of it.
        image_ids: A post is named by its picture, so a repeated id is another post and not a mistake.
        published: Others report scores on its splits, so nothing is moved or dropped to clean them.
    """

    name: str
    title: str
    suffix: str
    looks_like: Callable[[list[str]], bool]
    read: Callable[[Source], Rows]
    example: str
    image_ids: bool = False
    published: bool = True


def name_of(path: Path, root: Path) -> str:
    """How messages call a file: as the user would from ``root``, or by its whole path where it lies elsewhere."""
    shown = path.relative_to(root) if path.is_relative_to(root) else path
    return writable(shown.as_posix())  # a file system may hold names that are no UTF-8, a table cannot


def attempt(
    source: Source, line: int, row: Any, build: Callable[[], Post], post_id: str = ""
) -> Post | Quarantined:
    """Build a post, or say why it cannot be."""
    try:
        post = build()
        _refuse_surrogates(post)
        return post
    except RowError as bad:
        if bad.notice:
            source.counts[bad.notice] += 1
        return refuse(source, line, row, bad.reason, bad.remedy, post_id)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        return refuse(source, line, row, f"{where}: {reason}" if where else reason, "", post_id)


def refuse(source: Source, line: int, row: Any, reason: str, remedy: str = "", post_id: str = "") -> Quarantined:
    """The record of a row that was set aside."""
    shown = row if isinstance(row, str) else show_value(row, ROW_SHOWN)
    return Quarantined(
        id=writable(post_id),
        step=STEP,
        reason=writable(reason),
        remedy=writable(remedy),
        file=source.name,
        line=line,
        row=writable(shown[:ROW_SHOWN]),
    )


def _refuse_surrogates(post: Post) -> None:
    names = [entity.type or "" for entity in post.entities] + [relation.label for relation in post.relations]
    texts = [post.id, post.text, post.image or "", post.caption or "", *post.knowledge.values(), *names]
    if any(text != writable(text) for text in texts if not text.isascii()):
        raise RowError("half of a surrogate pair stands alone", "Write the whole character, e.g. an emoji.")


def refuse_overlaps(entities: Sequence[Entity], show: Callable[[Entity], str]) -> None:
    """Refuse typed entities that overlap: one BIO tag per token cannot hold both.

    Entities without a type are only the ends of a relation, and may nest (MNRE: a team and the city in its name).

    Raises:
        RowError: Two of them overlap.
    """
    typed = sorted((entity for entity in entities if entity.type), key=lambda entity: (entity.start, entity.end))
    for one, other in pairwise(typed):
        if other.start < one.end:
            raise RowError(
                f"entities overlap: {show(one)!r} ({one.type}) and {show(other)!r} ({other.type})",
                "Keep the longer or the more useful one of the two.",
            )
