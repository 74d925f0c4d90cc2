"""Captions that come with a data set, from any of the forms in which they are published.

Three kinds of line are understood, in any file: a JSON object or Python literal with an id (or image, img_id) and
a caption (or text), and the `<id>.jpg :<caption>` of Twitter-2015/2017. Captions are looked up by post id first,
then by picture, with and without its folder and ending.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from cotpd.data.readers.file_format import Source, refuse_row, show_path
from cotpd.data.readers.text_files import read_numbered_lines
from cotpd.data.readers.values import RowError, make_writable, parse_json, parse_literal, read_id
from cotpd.data.records import Post, Quarantined
from cotpd.errors import DataError

FALLBACK_PREFIX = "O_"
FALLBACK_LEAST = 50
_REMEDY = 'Write {"id": "...", "caption": "..."}.'
_COLON_LINE = re.compile(r"(?P<image>\S+?)\.(?:jpe?g|png|gif|webp)\s*:(?P<caption>.*)", re.IGNORECASE)


def find_companions(folder: Path, pattern: str, companion: str, split_files: Iterable[Path] = ()) -> list[Path]:
    """Find the files of captions or answers that a name or a pattern stands for, below the data set's folder.

    Args:
        folder: The data set's folder.
        pattern: ``{split}`` in it becomes train, valid, val, dev and test; an absolute path stands for itself.
        companion: The parameter that names the pattern: captions or answers.
        split_files: The files of the posts themselves.

    Raises:
        DataError: No file fits, or one of them holds the posts: their texts would count as captions or answers.
    """
    remedy = f"Mend --{companion} or, in params.yaml, data.{companion}; null stands for none."
    if not pattern.strip():
        raise DataError(f"data.{companion} is blank", remedy)

    names = ("train", "valid", "val", "dev", "test")
    patterns = [pattern.replace("{split}", name) for name in names] if "{split}" in pattern else [pattern]
    try:
        files = list(dict.fromkeys(chain.from_iterable(_expand(folder, name) for name in patterns)))
    except (ValueError, NotImplementedError, OSError) as error:  # **.jsonl, a NUL, a name of 300 characters
        raise DataError(f"{companion} {pattern!r}: is no pattern of file names: {error}", remedy) from None
    if not files:
        raise DataError(f"{companion} {pattern!r}: nothing of that name in {folder}", remedy)
    for path in split_files:
        if path in files or path.parent in files:
            raise DataError(f"{companion} {pattern!r}: {path.name} holds the posts themselves", remedy)
    return files


def _expand(folder: Path, pattern: str) -> list[Path]:
    """Return the files that match a glob, or the file or folder of that name if it exists."""
    path = Path(pattern)
    if not any(sign in pattern for sign in "*?["):
        return [folder / path] if (folder / path).exists() else []
    anchor, names = (Path(path.anchor), path.relative_to(path.anchor)) if path.anchor else (folder, path)
    return sorted(file for file in anchor.glob(str(names)) if file.is_file())


def read_captions(
    folder: Path, pattern: str, root: Path, split_files: Iterable[Path] = ()
) -> tuple[dict[str, str], list[Quarantined], Counter[str]]:
    """Read the captions of a data set.

    Args:
        folder: The data set's folder.
        pattern: A file, a glob or a name with ``{split}``; see :func:`find_companions`.
        root: Messages name files by their path from here.
        split_files: The files of the posts themselves.

    Returns:
        Captions by post id or picture; refused lines; and the numbers of captions that were read, that were empty,
        and that describe the fallback picture.

    Raises:
        DataError: There is no such file, or it is not UTF-8.
    """
    captions: dict[str, str] = {}
    refused: list[Quarantined] = []
    counts: Counter[str] = Counter()
    for path in find_companions(folder, pattern, "captions", split_files):
        source = Source(path, show_path(path, root), "")
        for number, line in read_numbered_lines(path, source.name):
            try:
                keys, caption = _parse_line(line)
                _refuse_second(captions, keys, caption)
            except RowError as error:
                refused.append(refuse_row(source, number, line, error))
                continue
            counts["read"] += bool(keys)
            counts["empty"] += bool(keys) and not caption
            captions.update(dict.fromkeys(keys, caption))
    fallback = _find_fallback(captions)
    counts["fallback_picture"] = sum(caption == fallback for caption in captions.values()) if fallback else 0
    usable = {key: caption for key, caption in captions.items() if caption and caption != fallback}
    return usable, refused, counts


def _refuse_second(captions: dict[str, str], keys: tuple[str, ...], caption: str) -> None:
    """Refuse a different caption of the same post or picture: one of the two would be lost."""
    if keys and captions.get(keys[0], caption) != caption:
        raise RowError(f"a second caption of {keys[0]!r}, other than the first", "Keep one of the two.")


def find_caption(captions: dict[str, str], post: Post) -> str | None:
    """Return the caption of a post, by its id or its picture."""
    return next((captions[key] for key in _list_keys(post) if key in captions), None)


def _list_keys(post: Post) -> Iterator[str]:
    """Yield the keys under which a post's caption may stand, the best first."""
    yield post.id
    if post.image:
        picture = PurePosixPath(post.image)
        yield from (post.image, picture.name, picture.stem)


def _parse_line(line: str) -> tuple[tuple[str, ...], str]:
    """Return the keys and the caption of a line; a blank line has no keys."""
    line = line.strip()
    if not line:
        return (), ""
    if line.startswith("{"):
        return _parse_object(line)
    match = _COLON_LINE.fullmatch(line)
    if match is None:
        raise RowError("not a caption line", 'Write {"id": "...", "caption": "..."} or <id>.jpg :<caption>.')
    return (match["image"],), _clean(match["caption"])


def _parse_object(line: str) -> tuple[tuple[str, ...], str]:
    """Return the keys and the caption of a JSON object or a Python literal."""
    row = _parse_dict(line)
    name = next((name for name in ("id", "image", "img_id") if row.get(name) not in (None, "")), None)
    if name is None:
        raise RowError("a caption without an id or image", _REMEDY)
    key, caption = make_writable(read_id(row[name], name)), row.get("caption", row.get("text"))
    if not isinstance(caption, str | None):
        raise RowError("a caption is not a string", _REMEDY)
    return (key,) if name == "id" else (key, PurePosixPath(key).stem), _clean(caption or "")


def _parse_dict(line: str) -> dict[str, Any]:
    """Parse a JSON object or, if it is not JSON, the Python literal of a dict."""
    try:
        row = parse_json(line)
    except RowError as error:
        try:
            row = parse_literal(line)
        except RowError:
            raise error from None
    if not isinstance(row, dict):
        raise RowError("the line holds no object", _REMEDY)
    return row


def _clean(caption: str) -> str:
    return make_writable(" ".join(caption.split()))


def _find_fallback(captions: dict[str, str]) -> str | None:
    """Return the caption of the picture that stands in for missing ones (Twitter-2017: 358 ids), or None.

    It is the most frequent caption whose ids are all named O_..., if at least FALLBACK_LEAST ids share it. An
    ordinary caption recurs ten times at most, and over both families of ids.
    """
    ordinary = {caption for key, caption in captions.items() if not key.startswith(FALLBACK_PREFIX)}
    candidates = Counter(caption for caption in captions.values() if caption and caption not in ordinary)
    caption, count = candidates.most_common(1)[0] if candidates else ("", 0)
    return caption if count >= FALLBACK_LEAST else None
