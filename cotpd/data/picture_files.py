"""The files that a post's picture may name, and the digest of their content.

The name of a picture is untrusted: only regular files that resolve to somewhere below the data set's folder are
opened. A link could lead to any file of the machine, which would then be sent to a vision model. One linked folder
is allowed by name (``data.pictures``); dvc.yaml watches it, because DVC does not look behind links by itself.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cotpd.errors import DataError
from cotpd.files import compute_sha256

MISSING = "there is no such picture"


class UnreadableError(Exception):
    """A picture cannot be used; the message names the file, the reason and the remedy."""


@dataclass(frozen=True)
class PictureFolder:
    """The folder of a data set's pictures.

    Attributes:
        folder: The data set's folder, or a file in it.
        linked: ``data.pictures``, a path from that folder, which may lead out of it.
    """

    folder: Path
    linked: str = "."

    @cached_property
    def root(self) -> Path:
        """The folder that names of pictures are relative to."""
        return self.folder.parent if self.folder.is_file() else self.folder

    @cached_property
    def _allowed(self) -> tuple[Path, ...]:
        return self.root.resolve(), (self.root / self.linked).resolve()

    def locate(self, name: str) -> Path:
        """Return the path of a picture's file.

        Raises:
            UnreadableError: It is no regular file, is empty, lies outside the allowed folders, or has an
                impossible name.
        """
        if "://" in name:
            raise UnreadableError(f"{name}: pictures are not fetched: put the file beside the posts and name it")
        try:
            path = self.root / name
            if "\\" in name and not path.is_file():
                path = self.root / name.replace("\\", "/")
            self._refuse_outside(name, self._resolve_links(name, path))
            _refuse_unusable(name, path)
        except (OSError, ValueError, RuntimeError) as error:  # no access, a NUL in the name, a circle of links
            raise UnreadableError(f"{name}: cannot be read ({error}): mend its name or permissions") from None
        return path

    def compute_digest(self, name: str) -> str | None:
        """Return the SHA-256 of a picture's bytes, in hex; None if there is no file that may be read."""
        try:
            return compute_sha256(self.locate(name))
        except (UnreadableError, OSError):
            return None

    def _resolve_links(self, name: str, path: Path) -> Path:
        """Return the target of a path; a link on the way that leads to nothing is named in the error."""
        try:
            return path.resolve(strict=True)
        except FileNotFoundError:
            below = [part for part in path.parents if part.is_relative_to(self.root)]
            for part in (*reversed(below), path):
                if part.is_symlink() and not part.exists():
                    link = f"{part} is a link to {part.readlink()}, which is not there"
                    raise UnreadableError(f"{name}: {link}: mend or remove the link") from None
            return path.resolve()

    def _refuse_outside(self, name: str, target: Path) -> None:
        if not any(target.is_relative_to(root) for root in self._allowed):
            remedy = "copy it there, or name the folder that is a link in data.pictures"
            raise UnreadableError(f"{name}: leads to {target}, outside the data set's folder: {remedy}")


def refuse_broken_links(folder: PictureFolder) -> None:
    """Refuse a linked folder, or a link in the data set, that leads to nothing: DVC would fail without naming it.

    Raises:
        DataError: There is one.
    """
    linked = folder.root / folder.linked
    if not linked.is_dir():
        remedy = "Name a folder relative to data.path, or . for that folder itself."
        raise DataError(f"data.pictures: {linked}: there is no such folder", remedy)
    for top in {folder.root, linked}:
        for path, folders, files in os.walk(top):
            for file in (Path(path, name) for name in (*folders, *files)):
                if file.is_symlink() and not file.exists():
                    remedy = "Mend or remove the link: DVC cannot tell whether such a data set has changed."
                    raise DataError(f"{file} is a link to {file.readlink()}, which is not there", remedy)


def _refuse_unusable(name: str, path: Path) -> None:
    if not path.is_file():  # a pipe or a device would block its reader for ever
        remedy = "put it there, or use captions that came with the data (caption.backend: dataset)"
        raise UnreadableError(f"{name}: {MISSING}: {remedy}")
    if path.stat().st_size == 0:
        raise UnreadableError(f"{name}: the file is empty: replace it")
