"""Where the pictures of a data set lie, for posts that name them by path, bare id or web address.

The folders are listed once, so that ten thousand posts do not ask the file system one by one. Nothing is fetched:
a post whose picture is not at hand keeps the name it came with.
"""

import hashlib
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from cotpd.data.records import Post

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif")


class Pictures:
    """The pictures at hand: those in the data set's folder, in images/, and in NAME_images/ for a folder NAME."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at_hand: dict[str, str] = {}
        for place in ("", "images", "img", f"{folder.resolve().name}_images", "wikinewsImgs"):
            if (folder / place).is_dir():
                for file in sorted((folder / place).iterdir()):
                    if file.suffix.lower() in ENDINGS:
                        self._at_hand.setdefault(file.name, str(PurePosixPath(place) / file.name))
        self._paths = set(self._at_hand.values())

    def place(self, post: Post) -> Post:
        """The post with its picture's path below the folder, where it is at hand."""
        found = self.find(post.image)
        return post if found in (None, post.image) else post.model_copy(update={"image": found})

    def find(self, image: str | None) -> str | None:
        """The path below the folder of a picture named by path, id or address; None if it is not at hand."""
        if image is None:
            return None
        if image in self._paths or ("://" not in image and self._is_file(image)):
            return image
        return next((self._at_hand[name] for name in _names(image) if name in self._at_hand), None)

    def _is_file(self, image: str) -> bool:
        try:
            return (self._folder / image).is_file()
        except (OSError, ValueError):  # a name that no file system could hold
            return False


def _names(image: str) -> list[str]:
    if "://" in image:
        return _names_of_address(image)
    name = PurePosixPath(image).name
    return [name, *(name + ending for ending in ENDINGS)]


def _names_of_address(address: str) -> list[str]:
    """As in the address, or hashed and with drawings turned into PNG, as in WikiDiverse's own archive."""
    try:
        name = PurePosixPath(urlsplit(address).path).name
    except ValueError:  # an unclosed bracket where the host should be
        return []
    suffix = PurePosixPath(name).suffix
    hashed = hashlib.md5(name.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
    return [name, unquote(name), hashed + suffix, hashed + (".png" if suffix.lower() == ".svg" else suffix)]
