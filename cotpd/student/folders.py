"""Folders that are replaced whole: whenever a process is killed, the old one or the new one can still be read.

Trade-off: no file system swaps two folders in one step, so between two renames the old one bears another name for
a moment. A reader calls :func:`recover_interrupted_swap` first, which renames it back after a kill.
"""

import shutil
from pathlib import Path


def make_partial_folder(folder: Path) -> Path:
    """Return a new empty folder beside ``folder``, in which its replacement is written."""
    partial = _name_partial(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def replace_folder(partial: Path, folder: Path) -> None:
    """Rename ``partial`` to ``folder``, and remove the folder that was there before."""
    recover_interrupted_swap(folder)
    backup = _name_backup(folder)
    shutil.rmtree(backup, ignore_errors=True)

    if folder.exists():
        folder.rename(backup)
    partial.replace(folder)
    shutil.rmtree(backup, ignore_errors=True)


def recover_interrupted_swap(folder: Path) -> None:
    """Rename the old folder back if a process was killed after it moved it away and before the new one came."""
    if not folder.exists() and _name_backup(folder).exists():
        _name_backup(folder).rename(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder, and the backup and the partial folder that a killed process may have left beside it."""
    for path in (folder, _name_backup(folder), _name_partial(folder)):
        shutil.rmtree(path, ignore_errors=True)


def _name_partial(folder: Path) -> Path:
    return folder.with_name(f".{folder.name.lstrip('.')}.part")


def _name_backup(folder: Path) -> Path:
    return folder.with_name(f".{folder.name.lstrip('.')}.old")
