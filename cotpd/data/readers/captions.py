"""Captions that a data set brings along, from any of the ways in which they are published.

Three kinds of line are understood, in any file: a JSON object or Python literal with an id (or image, img_id) and
a caption (or text), and the `<id>.jpg :<caption>` of Twitter-2015/2017. Captions are looked up by post id first,
then by picture, with and without its folder and ending.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from cotpd.data.readers.file_format import Source, name_of, refuse
from cotpd.data.readers.text_files import numbered_lines
from cotpd.data.readers.values import RowError, parse_json, parse_literal, read_id, writable
from cotpd.data.records import Post, Quarantined
from cotpd.errors import DataError

FALLBACK_PREFIX = "O_"
FALLBACK_LEAST = 50
_COLON_LINE = re.compile(r"(?P<image>\S+?)\.(?:jpe?g|png|gif|webp)\s*:(?P<caption>.*)", re.IGNORECASE)


def expand(folder: Path, pattern: str, companion: str, splits: Iterable[Path] = ()) -> list[Path]:
    """Find the files that a name, a glob or a pattern with ``{split}`` stands for, below the data set's folder.

    Args:
        folder: The data set's folder.
        pattern: ``{split}`` in it becomes train, valid, val, dev and test; an absolute path stands for itself.
        companion: The parameter that names the pattern: captions or answers.
        splits: The files of the posts themselves, which are never their own companions.

    Raises:
        DataError: None of them exists, or one of them is a split: its texts would come back as what an LLM said.
    """
    remedy = f"Mend data.{companion}, or set it to null."
    if not pattern.strip():
        raise DataError(f"data.{companion} is blank", remedy)
    names = ("train", "valid", "val", "dev", "test")
    patterns = [pattern.replace("{split}", name) for name in names] if "{split}" in pattern else [pattern]
    try:
        files = dict.fromkeys(path for one in patterns for path in _expand(folder, one))
    except (ValueError, NotImplementedError, OSError) as error:  # **.jsonl, a NUL, a name of 300 characters
        raise DataError(f"{companion} {pattern!r}: is no pattern of file names: {error}", remedy) from None
    if not files:
        raise DataError(f"{companion} {pattern!r}: nothing of that name in {folder}", remedy)
    inside = [path for path in splits for file in files if path == file or path.parent == file]
    if inside:
        raise DataError(f"{companion} {pattern!r}: {inside[0].name} holds the posts themselves", remedy)
    return list(files)


def _expand(folder: Path, pattern: str) -> list[Path]:
    path = Path(pattern)
    if not any(sign in pattern for sign in "*?["):
        return [folder / path] if (folder / path).exists() else []
    anchor, names = (Path(path.anchor), path.relative_to(path.anchor)) if path.anchor else (folder, path)
    return sorted(file for file in anchor.glob(str(names)) if file.is_file())


def read_captions(
    folder: Path, pattern: str, root: Path, splits: Iterable[Path] = ()
) -> tuple[dict[str, str], list[Quarantined], Counter[str]]:
    """Captions by post id or picture; refused lines; counts of what was read, empty, and a fallback picture's.

    Args:
        folder: The data set's folder.
        pattern: A file, a glob or a name with ``{split}``; see :func:`expand`.
        root: What messages name files from.
        splits: The files of the posts themselves.

    Raises:
        DataError: There is no such file, or it is not UTF-8.
    """
    captions: dict[str, str] = {}
    refused: list[Quarantined] = []
    counts: Counter[str] = Counter()
    for path in expand(folder, pattern, "captions", splits):
        source = Source(path, name_of(path, root), "")
        for number, line in numbered_lines(path, source.name):
            try:
                keys, caption = _entry(line)
                _refuse_second(captions, keys, caption)
            except RowError as bad:
                refused.append(refuse(source, number, line, bad.reason, bad.remedy))
                continue
            counts["read"] += bool(keys)
            counts["empty"] += bool(keys) and not caption
            captions.update(dict.fromkeys(keys, caption))
    fallback = _fallback(captions)
    counts["fallback_picture"] = sum(caption == fallback for caption in captions.values()) if fallback else 0
    return {key: text for key, text in captions.items() if text and text != fallback}, refused, counts


def _refuse_second(captions: dict[str, str], keys: tuple[str, ...], caption: str) -> None:
    """Refuse another caption of the same post or picture: one of the two would be lost."""
    if keys and captions.get(keys[0], caption) != caption:
        raise RowError(f"a second caption of {keys[0]!r}, other than the first", "Keep one of the two.")


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
    row = _parse(line)
    name = next((name for name in ("id", "image", "img_id") if row.get(name) not in (None, "")), None)
    if name is None:
        raise RowError("a caption without an id or image", 'Write {"id": "...", "caption": "..."}.')
    key, caption = writable(read_id(row[name], name)), row.get("caption", row.get("text"))
    if not isinstance(caption, str | None):
        raise RowError("a caption is not a string", 'Write {"id": "...", "caption": "..."}.')
    return (key,) if name == "id" else (key, PurePosixPath(key).stem), _clean(caption or "")


def _parse(line: str) -> dict[str, Any]:
    """Parse a JSON object or, if it is none, the Python literal of a dict."""
    try:
        row = parse_json(line)
    except RowError as bad:
        try:
            row = parse_literal(line)
        except RowError:
            raise bad from None
    if not isinstance(row, dict):
        raise RowError("the line holds no object", 'Write {"id": "...", "caption": "..."}.')
    return row


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
