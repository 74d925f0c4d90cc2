"""Folders that are replaced whole: whenever a process is killed, the old one or the new one can still be read.

Trade-off: no file system swaps two folders in one step, so between two renames the old one bears another name for
a moment; whoever reads calls :func:`settle` first, which takes it back.
"""

import shutil
from pathlib import Path


def part_of(folder: Path) -> Path:
    """An empty folder beside one, to write what shall replace it."""
    partial = _part(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    return partial


def replace(partial: Path, folder: Path) -> None:
    """Put a finished folder in the place of another."""
    settle(folder)
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def settle(folder: Path) -> None:
    """Take the old folder back if a kill came between its removal and the arrival of the new one."""
    if not folder.exists() and _old(folder).exists():
        _old(folder).rename(folder)


def remove(folder: Path) -> None:
    """Remove a folder and what a kill may have left beside it."""
    for one in (folder, _old(folder), _part(folder)):
        shutil.rmtree(one, ignore_errors=True)


def _part(folder: Path) -> Path:
    return folder.with_name(f".{folder.name.lstrip('.')}.part")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name.lstrip('.')}.old")
