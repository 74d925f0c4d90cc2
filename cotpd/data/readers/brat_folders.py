"""BRAT: a folder of `.txt` files, each with an `.ann` file beside it; one document is one post.

Splits are folders named after them (train, dev, test); a folder without any is the train split. Events, attributes
and notes are counted and not read. A mention in several pieces cannot be tagged, and costs its document.
"""

import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse
from cotpd.data.readers.raw_posts import RawMention, RawPost, RawRelation, build_post
from cotpd.data.readers.split_files import SplitFiles, find_split_folders
from cotpd.data.readers.text_files import read_text
from cotpd.data.readers.values import RowError, read_whole
from cotpd.data.records import Post
from cotpd.errors import DataError

EXAMPLE = """\
train/1.txt:  Ada visits London
train/1.ann:  T1<TAB>PER 0 3<TAB>Ada
              T2<TAB>LOC 11 17<TAB>London
              R1<TAB>visits Arg1:T1 Arg2:T2
                      <- a document is a post; splits are folders"""
_MENTION = re.compile(r"(T\S+)\t(\S+) ([\d; ]+)\t(.*)")
_RELATION = re.compile(r"(R\S+)\t(\S+) \w+:(T\S+) \w+:(T\S+)\s*")
_OF_EVENTS = re.compile(r"R\S+\t\S+ (\w+:[TE]\S+ \w+:E\S+|\w+:E\S+ \w+:T\S+)\s*")


def find_splits(folder: Path) -> SplitFiles:
    """Find the folders of the splits."""
    return find_split_folders(folder, lambda path: any(path.glob("*.ann")))


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    for path in sorted(source.path.glob("*.txt")):
        name = f"{source.name}/{path.name}" if source.name != "." else path.name
        document = Source(path, name, source.split, source.options, source.counts)
        post_id = unquote(path.stem)
        build = partial(_build_post, document, post_id)
        yield build_or_refuse(document, 1, path.name, build, post_id)
    texts = {path.stem for path in source.path.glob("*.txt")}
    lonely = [path.name for path in source.path.glob("*.ann") if path.stem not in texts]
    if lonely:
        raise DataError(f"{source.name}: {min(lonely)} has no .txt file beside it", "Add the text, or remove it.")


def _build_post(source: Source, post_id: str) -> Post:
    annotation = source.path.with_suffix(".ann")
    if not annotation.is_file():
        raise RowError(f"there is no {annotation.name} beside it", "An empty file says that nothing is marked.")
    text = read_text(source.path, source.name)
    mentions: list[RawMention] = []
    relations: list[RawRelation] = []
    for number, line in _iterate_lines(annotation):
        if line.startswith("T"):
            mentions.append(_read_mention(line, number, annotation.name, text))
        elif line.startswith("R") and not _OF_EVENTS.fullmatch(line):
            relations.append(_read_relation(line, number, annotation.name))
        else:
            source.counts[f"brat:{line[:1]}"] += 1
    body = text.removesuffix("\n")
    return build_post(source, RawPost(post_id, body, mentions, relations), 1)


def _iterate_lines(path: Path) -> Iterator[tuple[int, str]]:
    lines = read_text(path, path.name).split("\n")
    return ((number, line.removesuffix("\r")) for number, line in enumerate(lines, 1) if line.strip())


def _read_mention(line: str, number: int, name: str, text: str) -> RawMention:
    match = _MENTION.fullmatch(line)
    if match is None:
        raise RowError(f"{name}, line {number} is no mention: {line[:60]!r}", "Write T1<TAB>TYPE 0 3<TAB>words.")
    key, label, offsets, words = match.groups()
    pieces = [_read_piece(piece) for piece in offsets.split(";")]
    gaps = [text[left[-1] : right[0]] for left, right in pairwise(pieces) if left and right]
    if any(len(piece) != 2 for piece in pieces) or any(gap.strip() for gap in gaps):
        raise RowError(
            f"{name}, line {number}: the mention {words!r} is in several pieces ({offsets})",
            "Tags cannot express it: mark one piece, or leave the document out.",
        )
    return RawMention(key, pieces[0][0], pieces[-1][-1], label, words)  # BRAT cuts a mention at line ends


def _read_piece(piece: str) -> tuple[int, ...]:
    return tuple(read_whole(border, "an offset") for border in piece.split())


def _read_relation(line: str, number: int, name: str) -> RawRelation:
    match = _RELATION.fullmatch(line)
    if match is None:
        raise RowError(
            f"{name}, line {number} is no relation: {line[:60]!r}", "Write R1<TAB>LABEL Arg1:T1 Arg2:T2."
        )
    return RawRelation(match[3], match[4], match[2])


FORMAT = Format(
    name="brat",
    title="BRAT: {train,dev,test}/*.txt and *.ann, a document a post",
    suffixes=(".ann",),
    is_format_of=lambda head: not head,  # never of a file alone
    read=read,
    example=EXAMPLE,
    published=False,
    tool_ids=True,
    find_splits=find_splits,
)
