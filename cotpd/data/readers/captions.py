"""Captions that a data set brings along, from any of the ways in which they are published.

Three kinds of line are understood, in any file: a JSON object or Python literal with an id (or image, img_id) and
a caption (or text), and the `<id>.jpg :<caption>` of Twitter-2015/2017. Captions are looked up by post id first,
then by picture, with and without its folder and ending.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from cotpd.data.readers.base import RowError, Source, name_of, numbered_lines, refuse, writable
from cotpd.data.readers.mnre import literal
from cotpd.data.records import Post, Quarantined
from cotpd.errors import DataError

FALLBACK_PREFIX = "O_"
FALLBACK_LEAST = 50
_COLON_LINE = re.compile(r"(?P<image>\S+?)\.(?:jpe?g|png|gif|webp)\s*:(?P<caption>.*)", re.IGNORECASE)


def expand(folder: Path, pattern: str, what: str) -> list[Path]:
    """Files that a name, a glob or a pattern with ``{split}`` stands for, below the data set's folder.

    ``{split}`` becomes train, valid, val, dev and test; an absolute path stands for itself.

    Raises:
        DataError: None of them exists.
    """
    names = ("train", "valid", "val", "dev", "test")
    patterns = [pattern.replace("{split}", name) for name in names] if "{split}" in pattern else [pattern]
    files: list[Path] = []
    for one in patterns:
        base = Path(one)
        if any(sign in one for sign in "*?["):
            anchor, rest = (
                (Path(base.anchor), str(base.relative_to(base.anchor))) if base.anchor else (folder, one)
            )
            files += sorted(path for path in anchor.glob(rest) if path.is_file())
        elif (folder / base).exists():
            files.append(folder / base)
    if not files:
        raise DataError(
            f"{what} {pattern!r}: nothing of that name in {folder}", f"Mend data.{what}, or set it to null."
        )
    return list(dict.fromkeys(files))


def read_captions(
    folder: Path, pattern: str, root: Path
) -> tuple[dict[str, str], list[Quarantined], Counter[str]]:
    """Captions by post id or picture; refused lines; counts of what was read, empty, and a fallback picture's.

    Args:
        folder: The data set's folder.
        pattern: A file, a glob or a name with ``{split}``; see :func:`expand`.
        root: What messages name files from.

    Raises:
        DataError: There is no such file, or it is not UTF-8.
    """
    captions: dict[str, str] = {}
    refused: list[Quarantined] = []
    counts: Counter[str] = Counter()
    for path in expand(folder, pattern, "captions"):
        source = Source(path, name_of(path, root), "")
        for number, line in numbered_lines(path, source.name):
            try:
                keys, caption = _entry(line)
            except RowError as bad:
                refused.append(refuse(source, number, line, bad.reason, bad.remedy))
                continue
            counts["read"] += bool(keys)
            counts["empty"] += bool(keys) and not caption
            captions.update(dict.fromkeys(keys, caption))
    fallback = _fallback(captions)
    counts["fallback_picture"] = sum(caption == fallback for caption in captions.values()) if fallback else 0
    return {key: text for key, text in captions.items() if text and text != fallback}, refused, counts


def lookup(captions: dict[str, str], post: Post) -> str | None:
    """The caption of a post, by its id or its picture."""
    return next((captions[key] for key in _post_keys(post) if key in captions), None)


def _post_keys(post: Post) -> Iterator[str]:
    yield post.id
    if post.image:
        picture = PurePosixPath(post.image)
        yield from (post.image, picture.name, picture.stem)


def _entry(line: str) -> tuple[tuple[str, ...], str]:
    """Keys and caption of a line; no keys for a blank one."""
    line = line.strip()
    if not line:
        return (), ""
    if line.startswith("{"):
        return _from_object(line)
    match = _COLON_LINE.fullmatch(line)
    if match is None:
        raise RowError("not a caption line", 'Write {"id": "...", "caption": "..."} or <id>.jpg :<caption>.')
    return (match["image"],), _clean(match["caption"])


def _from_object(line: str) -> tuple[tuple[str, ...], str]:
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError):
        row = literal(line)
    key = next((str(row[name]) for name in ("id", "image", "img_id") if row.get(name)), "")
    caption = row.get("caption", row.get("text"))
    if not key or not isinstance(caption, str | None):
        raise RowError("a caption without an id or image", 'Write {"id": "...", "caption": "..."}.')
    keys = (key,) if row.get("id") else (key, PurePosixPath(key).stem)
    return keys, _clean(caption or "")


def _clean(caption: str) -> str:
    return writable(" ".join(caption.split()))


def _fallback(captions: dict[str, str]) -> str | None:
    """The caption of the picture that stood in for missing ones (Twitter-2017: 358 ids), if there was one.

    It is the caption that at least FALLBACK_LEAST ids share, every one of them named O_...; an ordinary caption
    recurs ten times at most there, and over both families of ids.
    """
    shared = Counter(captions.values())
    families = {caption for key, caption in captions.items() if not key.startswith(FALLBACK_PREFIX)}
    caption, times = max(
        ((text, n) for text, n in shared.items() if text and text not in families),
        key=lambda c: c[1],
        default=("", 0),
    )
    return caption if times >= FALLBACK_LEAST else None
