"""A full disk, in one sentence, whichever library met it: each has an error of its own, and few name the file."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cotpd.errors import CotpdError, StorageError

_NUMBERS = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "too large"}
_WORDS = {  # of safetensors, SQLite (SQLAlchemy and MLflow quote it), and shutil's lists of errors
    "no space left on device": "the disk is full",
    "database or disk is full": "the disk is full",
    "os error 28": "the disk is full",
    "disk quota exceeded": "the disk quota is used up",
    "os error 122": "the disk quota is used up",
    "file too large": "too large for this file system or limit",
    "os error 27": "too large for this file system or limit",
}
_REMEDY = "Free some space, then run again: what was finished before is kept."


@contextmanager
def report_full_disk(path: Path | str, scratch: Path | None = None) -> Iterator[None]:
    """Name a file or folder in the error of a full disk, and give back the space of its partial copy.

    Args:
        path: The file or folder that is being written.
        scratch: The partial copy beside it, a file or folder; removed on a full disk.

    Raises:
        StorageError: The disk is full.
    """
    try:
        yield
    except Exception as error:
        full_disk = explain_full_disk(error, path)
        if full_disk is None:
            raise
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.unlink(missing_ok=True)
        raise full_disk from None


def explain_full_disk(error: BaseException, path: Path | str | None = None) -> StorageError | None:
    """Return the explanation of an error that a full disk has caused, directly or not; None for any other.

    Args:
        error: The error that was raised.
        path: The file that was being written, if the error does not name one.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CotpdError):
            return cause if isinstance(cause, StorageError) else None
        reason = _find_reason(cause)
        if reason:
            target = path or getattr(cause, "filename", None) or Path.cwd()
            return StorageError(f"{target}: could not be written: {reason}", _REMEDY)
        cause = cause.__cause__ or cause.__context__
    return None


def _find_reason(error: BaseException) -> str:
    """Return how an error says that a disk is full, by its number or its words; empty if it does not."""
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return _NUMBERS[error.errno]
    text = str(error).lower()
    return next((reason for words, reason in _WORDS.items() if words in text), "")
