"""MNRE: one pair of mentions and their relation a line, each line a Python literal.

Lines that share tokens and picture become one post with several entities and relations, so that an LLM is asked
once for each post: 8,287 posts for the 13,871 pairs of train and val. Mentions carry no type, and may nest, as a
city does in the name of its team.
"""

from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers.file_format import Format, Rows, Source, build_or_refuse, refuse_row
from cotpd.data.readers.text_files import read_numbered_lines, read_text
from cotpd.data.readers.values import (
    RowError,
    is_whole,
    make_writable,
    parse_json,
    parse_literal,
    read_whole,
    show_value,
)
from cotpd.data.records import NO_RELATION, Entity, Post, Relation, Span
from cotpd.data.tokenization import join_tokens
from cotpd.errors import DataError

INVENTORIES = ("relations.json", "ours_rel2id.json")
EXAMPLE = """\
{'token': ['Ada', 'visits', 'London'], 'h': {'name': 'Ada', 'pos': [0, 1]}, \
't': {'name': 'London', 'pos': [2, 3]}, 'img_id': '1234.jpg', 'relation': '/per/loc/place_of_residence'}
                      <- one pair a line; relations.json beside it lists the labels"""
_INVENTORY_REMEDY = 'Write {"None": 0, "/per/per/peer": 1, ...}, or remove it.'


class PostKey(NamedTuple):
    """The cells by which lines are put together into one post."""

    tokens: tuple[str, ...]
    image: str

    @property
    def post_id(self) -> str:
        """The picture's name without its ending."""
        return PurePosixPath(self.image).stem


class Pair(NamedTuple):
    """A pair of mentions, in tokens, and the label of its relation."""

    head: Span
    tail: Span
    label: str


def read_inventory(folder: Path) -> tuple[str, ...] | None:
    """Read the relation labels that the release lists, None first; return None if it has no such file.

    Raises:
        DataError: The file does not map labels to numbers.
    """
    path = next((folder / name for name in INVENTORIES if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        labels = parse_json(read_text(path, path.name))
    except RowError as error:
        raise DataError(f"{path}: {error.reason}", _INVENTORY_REMEDY) from None
    if not isinstance(labels, dict) or not labels or not all(map(is_whole, labels.values())):
        raise DataError(f"{path}: not a map of relation labels to numbers", _INVENTORY_REMEDY)
    if any(not label.strip() or label != make_writable(label) for label in labels):
        raise DataError(f"{path}: a label is blank or half a character", _INVENTORY_REMEDY)
    return tuple(sorted(labels, key=lambda label: (label != NO_RELATION, labels[label])))


def read(source: Source) -> Rows:
    """Read one split; see :class:`cotpd.data.readers.file_format.Format`."""
    allowed = read_inventory(source.path.parent)
    posts: dict[PostKey, tuple[int, list[Pair]]] = {}
    for number, line in read_numbered_lines(source.path, source.name):
        if not line.strip():
            continue
        try:
            key, pair = _read_line(parse_literal(line), allowed)
        except RowError as error:
            yield refuse_row(source, number, line, error)
            continue
        posts.setdefault(key, (number, []))[1].append(pair)
    for key, (number, pairs) in posts.items():
        build = partial(_build_post, source, number, key, pairs)
        yield build_or_refuse(source, number, " ".join(key.tokens), build, key.post_id)


def _read_line(row: Any, allowed: tuple[str, ...] | None) -> tuple[PostKey, Pair]:
    """Return the pair of a line, and the key of its post."""
    if not isinstance(row, dict):
        raise RowError("the line holds no dict", "Each line is one dict, as Python prints it.")
    missing = [key for key in ("token", "h", "t", "img_id", "relation") if key not in row]
    if missing:
        raise RowError(f"missing: {', '.join(missing)}", "A pair has token, h, t, img_id and relation.")
    tokens, image, label = row["token"], row["img_id"], row["relation"]
    if not isinstance(tokens, list) or not tokens or not all(isinstance(word, str) and word for word in tokens):
        raise RowError("token is not a list of words", "The post needs at least one word.")
    if not isinstance(image, str) or not isinstance(label, str) or not label.strip():
        raise RowError("img_id or relation is not a string", "Quote both.")
    if not PurePosixPath(image).stem.strip(" ."):
        raise RowError(f"img_id {image!r} names no picture", "The post is named by it, e.g. 1234.jpg.")
    if allowed is not None and label not in allowed:
        raise RowError(f"relation {label!r} is outside the inventory", "Mend it, or add it to relations.json.")
    return PostKey(tuple(tokens), image), Pair(_read_span(row["h"], tokens), _read_span(row["t"], tokens), label)


def _read_span(end: Any, tokens: list[str]) -> Span:
    """Return the tokens of one end of the pair, checked against the mention that the row spells out."""
    position = end.get("pos") if isinstance(end, dict) else None
    if not isinstance(position, list | tuple) or len(position) != 2:
        raise RowError("h or t has no pos [first word, word after the last]", "Add it.")
    start, stop = (read_whole(number, "pos") for number in position)
    if not 0 <= start < stop <= len(tokens):
        raise RowError(f"pos [{start}, {stop}] does not fit {format_count(len(tokens), 'word')}", "Mend pos.")
    name = end.get("name")
    mention = " ".join(tokens[start:stop])
    if name is not None and name != mention:
        raise RowError(f"pos [{start}, {stop}] is {mention!r}, not {show_value(name)}", "Mend pos or name.")
    return start, stop


def _build_post(source: Source, line: int, key: PostKey, pairs: list[Pair]) -> Post:
    spans = sorted({pair.head for pair in pairs} | {pair.tail for pair in pairs})
    labels: dict[tuple[int, int], str] = {}
    for pair in pairs:
        ends = (spans.index(pair.head), spans.index(pair.tail))
        if pair.head == pair.tail:
            raise RowError("a pair relates a mention to itself", "Mend h or t.")
        if labels.setdefault(ends, pair.label) != pair.label:
            raise RowError(f"one pair is labelled {labels[ends]} and {pair.label}", "Keep one of the two.")
    text, offsets = join_tokens(key.tokens)
    return Post(
        id=key.post_id,
        text=text,
        tokens=key.tokens,
        offsets=tuple(offsets),
        image=key.image,
        entities=tuple(Entity(start=start, end=end) for start, end in spans),
        relations=tuple(Relation(head=head, tail=tail, label=label) for (head, tail), label in labels.items()),
        file=source.name,
        line=line,
    )


def is_format_of(head: list[str]) -> bool:
    """Whether one of the first lines is a dict with Python's quotes that holds words and two mentions."""
    dicts = (line for line in head if line.startswith("{'"))
    return any(_has_keys(line) for line in dicts)


def _has_keys(line: str) -> bool:
    return all(f"'{key}':" in line for key in ("token", "h", "t", "relation"))


FORMAT = Format(
    name="mnre",
    title="MNRE: mnre_{train,val,test}.txt, a pair of mentions and their relation a line",
    suffixes=(".txt",),
    is_format_of=is_format_of,
    read=read,
    example=EXAMPLE,
    image_ids=True,
)
