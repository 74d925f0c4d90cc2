"""The one atomic write of a file, and the one checksum of a file's content."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cotpd.storage import report_full_disk


@contextmanager
def write_atomically(path: Path | str, *, shared: bool = False) -> Iterator[Path]:
    """Give the path of a partial file, which replaces ``path`` when the block ends without an error.

    A killed process leaves the old file or the new one, and never half of it. A link at ``path`` is replaced, not
    followed: DVC may have put one there that points into its cache.

    Args:
        path: The file to write; folders above it are made.
        shared: Other processes may write the same file at this moment, so each has a partial file of its own.

    Raises:
        StorageError: The disk is full; the message names ``path``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.part" if shared else f"{path.name}.part")
    try:
        with report_full_disk(path):
            yield partial
            _sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Put the content on disk before the rename, or a power cut could leave an empty file under the name."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def compute_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
