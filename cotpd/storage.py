"""A full disk, in one sentence, whatever library met it: each has an error of its own, and few name the file."""

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
    """Name a file or folder in the error of a full disk, and give back the space of what was half written.

    Args:
        path: What is being written.
        scratch: A file or folder beside it that takes its place afterwards; removed on a full disk.

    Raises:
        StorageError: The disk is full.
    """
    try:
        yield
    except Exception as error:
        full = explain_full_disk(error, path)
        if full is None:
            raise
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.unlink(missing_ok=True)
        raise full from None


def explain_full_disk(error: BaseException, path: Path | str | None = None) -> StorageError | None:
    """Explain an error that a full disk has caused, at whatever depth; None for any other.

    Args:
        error: Whatever was raised.
        path: What was being written, where the error does not say.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, CotpdError):
            return cause if isinstance(cause, StorageError) else None
        if reason := _find_reason(cause):
            place = path or getattr(cause, "filename", None) or Path.cwd()
            return StorageError(f"{place}: could not be written: {reason}", _REMEDY)
        cause = cause.__cause__ or cause.__context__
    return None


def _find_reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return _NUMBERS[error.errno]
    text = str(error).lower()
    return next((reason for words, reason in _WORDS.items() if words in text), "")
