"""Where the pictures of a data set lie, for posts that name them by path, bare id or web address.

The folders are listed once, so that ten thousand posts do not search the file system one by one. Nothing is
fetched: a post whose picture is not at hand keeps the name it came with.

Names that were written on another system are matched where exactly one file fits: without case (``a.jpg`` for
``a.JPG``), with backslashes, with accents composed otherwise (macOS), without their ending.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from cotpd.data.picture_files import PictureFolder, UnreadableError
from cotpd.data.records import Post

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
SHOWN = 3  # missing pictures that are named


class Pictures:
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
        places = ("", "images", "img", f"{folder.resolve().name}_images", "wikinewsImgs", linked)
        self._places = [
            place for place in dict.fromkeys(map(str, map(PurePosixPath, places))) if (folder / place).is_dir()
        ]

    def place(self, post: Post) -> Post:
        """The post with its picture's path below the folder, where there is such a file."""
        path = self._match(post.image) if post.image is not None else None
        return post if path in (None, post.image) else post.model_copy(update={"image": path})

    def find(self, image: str | None) -> str | None:
        """The path below the folder of a picture named by path, id or address; None if it cannot be read."""
        path = self._match(image) if image is not None else None
        return path if path is not None and self._explain(path) is None else None

    def count_missing(self, images: Iterable[str | None]) -> dict[str, Any]:
        """Count the pictures that posts name and that are not at hand, as a JSON value.

        ``first`` says of some of them why; ``looked_in`` lists the folders that were searched.
        """
        names = dict.fromkeys(image for image in images if image)
        missing = [name for name in names if self.find(name) is None]
        return {
            "named": len(names),
            "missing": len(missing),
            "first": [self._explain(self._match(name) or name) for name in missing[:SHOWN]],
            "looked_in": [str(self._files.root / place) for place in self._places],
        }

    def _explain_uncached(self, path: str) -> str | None:
        """Why a picture cannot be read; None where it can."""
        try:
            self._files.locate(path)
        except UnreadableError as error:
            return str(error)
        return None

    def _match_uncached(self, image: str) -> str | None:
        if "://" in image:
            return self._match_in_places(_names_of_address(image))
        slashes = image.replace("\\", "/")
        return (
            self._match_path(image)
            or self._match_path(slashes)
            or self._match_in_places(_names_of_file(PurePosixPath(slashes).name))
        )

    def _match_path(self, image: str) -> str | None:
        """Match a path folder by folder; one that leads upwards is taken as it is."""
        path = PurePosixPath(image)
        if path.is_absolute() or ".." in path.parts:
            return image if self._explain(image) is None else None
        folder = "."
        for part in path.parts[:-1]:
            name = self._match_name(folder, part)
            if name is None:
                return None
            folder = _join(folder, name)
        names = (self._match_name(folder, name) for name in _names_of_file(path.name))
        paths = (_join(folder, name) for name in names if name is not None)
        return next((path for path in paths if not (self._files.root / path).is_dir()), None)

    def _match_in_places(self, names: list[str]) -> str | None:
        for place in self._places:
            for name in names:
                match = self._match_name(place, name)
                if match is not None and match.lower().endswith(ENDINGS):
                    return _join(place, match)
        return None

    def _match_name(self, folder: str, name: str) -> str | None:
        """The entry of a folder with that name, or the only one whose name differs in case alone."""
        names = self._list(folder).get(_key(name), [])
        if name in names:
            return name
        return names[0] if len(names) == 1 else None

    def _list(self, folder: str) -> Mapping[str, list[str]]:
        """The entries of a folder by the form in which names are compared."""
        if folder not in self._listings:
            entries: dict[str, list[str]] = {}
            try:
                for file in sorted((self._files.root / folder).iterdir()):
                    entries.setdefault(_key(file.name), []).append(file.name)
            except (OSError, ValueError):  # not a folder, or no access: nothing is at hand there
                entries = {}
            self._listings[folder] = entries
        return self._listings[folder]


def add_digests(posts: Iterable[Post], files: PictureFolder) -> list[Post]:
    """Note the digest of each post's picture: when a file is replaced, what rests on the old one runs again."""
    posts = list(posts)
    digests = {name: files.compute_digest(name) for name in {post.image for post in posts if post.image}}
    return [post.model_copy(update={"image_digest": digests.get(post.image or "")}) for post in posts]


def missing_line(pictures: Mapping[str, Any]) -> str | None:
    """One line on the pictures that :meth:`Pictures.count_missing` counted; None where all are at hand."""
    if not pictures["missing"]:
        return None
    counts = f"{pictures['missing']:,} of {pictures['named']:,} pictures are not at hand"
    return f"{counts}; looked in {', '.join(pictures['looked_in'])}; the first: {'; '.join(pictures['first'])}"


def _join(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _names_of_file(name: str) -> list[str]:
    """As written, or without its ending."""
    return [name, *(name + ending for ending in ENDINGS)] if name else []


def _names_of_address(address: str) -> list[str]:
    """As in the address, or hashed and with drawings turned into PNG, as in WikiDiverse's own archive."""
    try:
        name = PurePosixPath(urlsplit(address).path).name
    except ValueError:  # an unclosed bracket where the host should be
        return []
    suffix = PurePosixPath(name).suffix
    hashed = hashlib.md5(name.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return [name, unquote(name), hashed + suffix, hashed + (".png" if suffix.lower() == ".svg" else suffix)]
