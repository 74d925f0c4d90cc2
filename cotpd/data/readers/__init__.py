"""Readers of the formats in which annotated posts are published, one module a format; how one is recognised.

Recognising takes names and first lines together: names alone cannot tell MNRE's pairs from its captions, nor an
annotation from notes beside it. What is not recognised is refused with the list of what was looked for.
"""

import re
from pathlib import Path

from cotpd.data.readers import jsonl, mnre, snap, twitter, wikidiverse
from cotpd.data.readers.base import Format
from cotpd.data.records import SPLITS
from cotpd.errors import DataError

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (jsonl, twitter, snap, wikidiverse, mnre)
}
ALIASES = {"train": "train", "valid": "valid", "val": "valid", "dev": "valid", "test": "test"}
HEAD_BYTES = 4096


def split_of(path: Path) -> str | None:
    """The split that a file's name speaks of (train, valid, val, dev, test between separators), if just one."""
    named = {ALIASES[word] for word in re.split(r"[^a-z]+", path.stem.lower()) if word in ALIASES}
    return named.pop() if len(named) == 1 else None


def find(path: Path, shown: str, format_name: str = "auto") -> tuple[Format, dict[str, Path]]:
    """The format of a data set and its files, a split each.

    Args:
        path: A folder, or one file (whose name says its split; train if it says none).
        shown: How messages call it.
        format_name: A format's name, or auto.

    Raises:
        DataError: Nothing is there, no format or two of them fit, or two files claim one split.
    """
    if not path.exists():
        raise DataError(f"{shown}: there is no such folder or file", "Set data.path (or name another path).")
    wanted = [FORMATS[format_name]] if format_name != "auto" else _distinct_formats()
    fitting = [(form, files) for form in wanted if (files := _files(path, shown, form, format_name != "auto"))]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(form.name for form, _ in fitting)
        raise DataError(f"{shown}: holds files of the formats {names}", "Name one of them in data.format.")
    looked_for = "; ".join(form.title for form in wanted)
    raise DataError(
        f"{shown}: no annotated posts found; looked for {looked_for}",
        "`cotpd data formats` shows each; convert yours to jsonl.",
    )


def _distinct_formats() -> list[Format]:
    """Formats that files can tell apart; snap's are those of twitter, so it has to be asked for."""
    return [form for form in FORMATS.values() if form.name != "snap"]


def _files(path: Path, shown: str, form: Format, asked_for: bool) -> dict[str, Path]:
    if path.is_file():
        fits = form.looks_like(_head(path)) or asked_for
        return {split_of(path) or "train": path} if fits else {}
    named = [file for file in sorted(path.iterdir()) if file.suffix == form.suffix and split_of(file)]
    fitting = [file for file in named if file.is_file() and form.looks_like(_head(file))]
    if fitting or asked_for:  # then test.jsonl is the test split, however its first line looks
        fitting += [file for file in named if _is_plain(file) and file not in fitting]
    found: dict[str | None, list[Path]] = {}
    for file in fitting:
        found.setdefault(split_of(file), []).append(file)
    return {split: _one(found[split], split, shown) for split in SPLITS if split in found}


def _is_plain(file: Path) -> bool:
    """Whether a file is named for its split and nothing else."""
    return file.stem.lower() in ALIASES and file.is_file()


def _one(files: list[Path], split: str, shown: str) -> Path:
    """The file of a split: the one that is named for it and nothing else, where there are several."""
    plain = [file for file in files if _is_plain(file)]
    if len(plain) == 1 or len(files) == 1:
        return (plain or files)[0]
    names = ", ".join(file.name for file in files)
    raise DataError(f"{shown}: {names} all claim to be the {split} split", "Leave one, or name it as data.path.")


def _head(path: Path) -> list[str]:
    """The first lines; the last one may be cut. Faulty bytes are the reader's to report."""
    with path.open("rb") as file:
        return file.read(HEAD_BYTES).decode("utf-8-sig", "replace").splitlines()
