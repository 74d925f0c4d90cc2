"""Writer of WebAnno TSV 3.3, which INCEpTION imports: a post is a sentence; mentions and relations are layers.

Every mention has a number, so that mentions may overlap. Offsets count UTF-16 units over the file, as in Java.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from cotpd.data.readers.inception_tsv import ENTITIES, MARK
from cotpd.data.records import Post
from cotpd.files import write_atomically

RELATIONS = "webanno.custom.Relation"
_SIGNS = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "[": "\\[", "]": "\\]", "|": "\\|", "_": "\\_"}
_SIGNS |= {";": "\\;", "*": "\\*"}
_TEXT_SIGNS = {sign: _SIGNS[sign] for sign in "\\\n\r\t"}


def write_inception(posts: Sequence[Post], path: Path) -> int:
    """Write the posts of a split as the sentences of one file, and return their number."""
    with write_atomically(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        out.write(f"{MARK}.3\n#T_SP={ENTITIES}|identifier|value\n#T_RL={RELATIONS}|label|BT_{ENTITIES}\n\n")
        offset, mentions = 0, 0
        for number, post in enumerate(posts, 1):
            out.write(f"\n#Text={_escape(post.text, _TEXT_SIGNS)}\n")
            for cells in _list_rows(post, number, offset, mentions):
                out.write("\t".join(cells) + "\t\n")
            offset += _count_units(post.text) + 1
            mentions += len(post.entities)
    return len(posts)


def _list_rows(post: Post, number: int, offset: int, first: int) -> list[list[str]]:
    """Return the cells of each word.

    Args:
        post: The post.
        number: Its number in the file.
        offset: The units of the file before it.
        first: The number of the mentions before it.
    """
    rows = []
    for position, (token, (start, end)) in enumerate(zip(post.tokens, post.offsets, strict=True)):
        begin = offset + _count_units(post.text[:start])
        columns = f"{begin}-{begin + _count_units(post.text[start:end])}"
        stacked = [
            (index, entity) for index, entity in enumerate(post.entities) if entity.start <= position < entity.end
        ]
        marks = [f"*[{first + index + 1}]" for index, _ in stacked]
        values = [f"{_escape(entity.type or '', _SIGNS) or '*'}[{first + index + 1}]" for index, entity in stacked]
        links = [link for link in post.relations if post.entities[link.tail].start == position]
        labels = [_escape(link.label, _SIGNS) for link in links]
        heads = [_name_reference(post, number, first, link.head, link.tail) for link in links]
        cells = [_join(cell) for cell in (marks, values, labels, heads)]
        rows.append([f"{number}-{position + 1}", columns, _escape(token, _TEXT_SIGNS), *cells])
    return rows


def _name_reference(post: Post, number: int, first: int, head: int, tail: int) -> str:
    """Return the reference of a relation: the first word of its head, and the numbers of both mentions."""
    return f"{number}-{post.entities[head].start + 1}[{first + head + 1}_{first + tail + 1}]"


def _join(values: list[str]) -> str:
    return "|".join(values) or "_"


def _escape(text: str, signs: dict[str, str]) -> str:
    return re.sub("[" + re.escape("".join(signs)) + "]", lambda match: signs[match[0]], text)


def _count_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
