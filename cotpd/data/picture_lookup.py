"""Find the picture of a post, which names it by path, bare id or web address.

The folders are listed once, so that ten thousand posts do not search the file system one by one. Nothing is
fetched: a post whose picture is not at hand keeps the name it came with.

Names that were written on another system are matched if exactly one file fits: without case (``a.jpg`` for
``a.JPG``), with backslashes, with accents composed differently (macOS), without their ending.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from cotpd.counts import format_count
from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.data.records import Post

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
SHOWN = 3  # missing pictures that are named


class PictureLookup:
    """The pictures at hand.

    Args:
        folder: The data set's folder. Names without a folder are looked for in it, in images/, img/ and
            NAME_images/ for a folder NAME, and in ``linked``.
        linked: ``data.pictures``: see :class:`~cotpd.data.picture_files.PictureFolder`.
    """

    def __init__(self, folder: Path, linked: str = ".") -> None:
        self._files = PictureFolder(folder, linked)
        self._listings: dict[str, Mapping[str, list[str]]] = {}
        self._match = cache(self._match_uncached)
        self._explain = cache(self._explain_uncached)
        usual = ("", "images", "img", f"{folder.resolve().name}_images", "wikinewsImgs", linked)
        names = dict.fromkeys(str(PurePosixPath(name)) for name in usual)
        self._folders = [name for name in names if (folder / name).is_dir()]

    def resolve(self, post: Post) -> Post:
        """Return the post with the path of its picture below the folder; unchanged if no file fits."""
        path = self._match(post.image) if post.image is not None else None
        return post if path in (None, post.image) else post.model_copy(update={"image": path})

    def find(self, image: str | None) -> str | None:
        """Return a picture's path below the folder, from a path, id or address; None if it cannot be read."""
        path = self._match(image) if image is not None else None
        return path if path is not None and self._explain(path) is None else None

    def count_missing(self, images: Iterable[str | None]) -> dict[str, Any]:
        """Count the pictures that posts name and that are not at hand, as a JSON value.

        ``first`` holds the reasons for the first few; ``looked_in`` lists the folders that were searched.
        """
        names = dict.fromkeys(image for image in images if image)
        missing = [name for name in names if self.find(name) is None]
        return {
            "named": len(names),
            "missing": len(missing),
            "first": [self._explain(self._match(name) or name) for name in missing[:SHOWN]],
            "looked_in": [str(self._files.root / folder) for folder in self._folders],
        }

    def _explain_uncached(self, path: str) -> str | None:
        """Return why a picture cannot be read; None if it can."""
        try:
            self._files.locate(path)
        except UnreadableError as error:
            return str(error)
        return None

    def _match_uncached(self, image: str) -> str | None:
        if "://" in image:
            return self._match_in_folders(_list_address_names(image))
        slashes = image.replace("\\", "/")
        return (
            self._match_path(image)
            or self._match_path(slashes)
            or self._match_in_folders(_list_file_names(PurePosixPath(slashes).name))
        )

    def _match_path(self, image: str) -> str | None:
        """Match a path folder by folder; one that leads upwards is taken as it is, if it may be read."""
        path = PurePosixPath(image)
        if path.is_absolute() or ".." in path.parts:
            return image if self._explain(image) is None else None

        folder = "."
        for part in path.parts[:-1]:
            entry = self._match_name(folder, part)
            if entry is None:
                return None
            folder = _join(folder, entry)
        entries = (self._match_name(folder, name) for name in _list_file_names(path.name))
        paths = (_join(folder, entry) for entry in entries if entry is not None)
        return next((path for path in paths if not (self._files.root / path).is_dir()), None)

    def _match_in_folders(self, names: list[str]) -> str | None:
        """Return the first picture, over the usual folders, that has one of the names."""
        for folder in self._folders:
            for name in names:
                entry = self._match_name(folder, name)
                if entry is not None and entry.lower().endswith(ENDINGS):
                    return _join(folder, entry)
        return None

    def _match_name(self, folder: str, name: str) -> str | None:
        """Return the entry of a folder with that name, or the only entry whose name differs in case alone."""
        entries = self._list(folder).get(_normalize_name(name), [])
        if name in entries:
            return name
        return entries[0] if len(entries) == 1 else None

    def _list(self, folder: str) -> Mapping[str, list[str]]:
        """Return the entries of a folder by their normalized names; none if the folder cannot be listed."""
        if folder not in self._listings:
            entries: dict[str, list[str]] = {}
            try:
                for file in sorted((self._files.root / folder).iterdir()):
                    entries.setdefault(_normalize_name(file.name), []).append(file.name)
            except (OSError, ValueError):  # not a folder, or no access
                entries = {}
            self._listings[folder] = entries
        return self._listings[folder]


def add_digests(posts: Iterable[Post], files: PictureFolder) -> list[Post]:
    """Add the digest of each post's picture, so that a replaced file runs again what rests on the old one."""
    posts = list(posts)
    names = {post.image for post in posts if post.image}
    digests = {name: files.compute_digest(name) for name in names}
    return [post.model_copy(update={"image_digest": digests.get(post.image or "")}) for post in posts]


def describe_missing(pictures: Mapping[str, Any]) -> str | None:
    """Describe the counts of :meth:`PictureLookup.count_missing` in one line; None if no picture is missing."""
    if not pictures["missing"]:
        return None
    verb = "is" if pictures["missing"] == 1 else "are"
    counts = f"{pictures['missing']:,} of {format_count(pictures['named'], 'picture')} {verb} not at hand"
    return f"{counts}; looked in {', '.join(pictures['looked_in'])}; the first: {'; '.join(pictures['first'])}"


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _normalize_name(name: str) -> str:
    """Return the form in which names are compared: accents composed, no case."""
    return unicodedata.normalize("NFC", name).casefold()


def _list_file_names(name: str) -> list[str]:
    """List the names that a picture's file may have: as written, or with an ending added."""
    return [name, *(name + ending for ending in ENDINGS)] if name else []


def _list_address_names(address: str) -> list[str]:
    """List the names that the file behind a web address may have.

    WikiDiverse's own archive hashes the names, and turns drawings into PNG.
    """
    try:
        name = PurePosixPath(urlsplit(address).path).name
    except ValueError:  # an unclosed bracket in place of the host
        return []
    suffix = PurePosixPath(name).suffix
    digest = hashlib.md5(name.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return [name, unquote(name), digest + suffix, digest + (".png" if suffix.lower() == ".svg" else suffix)]
