"""Writers of columns: CoNLL, a word and its tag a line, and CSV, a row a post."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from cotpd.annotation.annotated_posts import get_gold
from cotpd.annotation.json_writers import build_row, encode_tags
from cotpd.annotation.losses import replace_blanks
from cotpd.data.records import Post
from cotpd.files import write_atomically

COLUMNS = ("id", "text", "tokens", "image", "caption", "knowledge", "label", "entities", "relations")


def write_conll(posts: Sequence[Post], path: Path) -> int:
    """Write a word and its tag of IOB2 a line, at a tab, and return the number of posts."""
    with write_atomically(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for post in posts:
            for word, tag in zip(post.tokens, encode_tags(post), strict=True):
                out.write(f"{replace_blanks(word)}\t{replace_blanks(tag)}\n")
            out.write("\n")
    return len(posts)


def write_csv(posts: Sequence[Post], path: Path, *, with_words: bool) -> int:
    """Write a row a post, entities and relations as JSON, and return their number; Excel sees that it is UTF-8."""
    with write_atomically(path) as partial, partial.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for post in posts:
            row = {**build_row(post, with_words=with_words), "entities": _list_entities(post)}
            writer.writerow([_format_cell(row.get(name)) for name in COLUMNS])
    return len(posts)


def _list_entities(post: Post) -> list[dict[str, object]]:
    """Return the entities with offsets in characters, whatever the words are."""
    return [{"start": mark.start, "end": mark.end, "type": mark.type} for mark in get_gold(post).marks]


def _format_cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
