"""Readers of the formats in which annotated posts are published, one module a format; how one is recognised.

Recognising takes names and first lines together: names alone cannot tell MNRE's pairs from its captions, nor an
annotation from notes beside it. What is not recognised is refused with the list of what was looked for.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cotpd.data.readers import jsonl, mnre, snap, twitter, wikidiverse
from cotpd.data.readers.file_format import Format
from cotpd.data.readers.split_files import (
    NamedFile,
    choose_files,
    describe_file,
    explain_unread,
    list_named_files,
    list_unread,
    split_of,
)
from cotpd.data.readers.text_files import read_head
from cotpd.data.readers.values import writable
from cotpd.errors import DataError

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (jsonl, twitter, snap, wikidiverse, mnre)
}


class Recognised(NamedTuple):
    """A data set's format, its files by split, and the names of those beside them that are not read."""

    form: Format
    files: dict[str, Path]
    unread: tuple[str, ...] = ()


def find_folder(path: Path, shown: str) -> Path:
    """Find the folder of a data set, which may be one file.

    Raises:
        DataError: There is no such folder or file.
    """
    remedy = "Set data.path (or name another path)."
    try:
        if path.exists():
            return path if path.is_dir() else path.parent
    except OSError as error:  # a name of 300 characters
        raise DataError(f"{shown}: {error.strerror}", remedy) from None
    raise DataError(f"{shown}: there is no such folder or file", remedy)


def find(path: Path, shown: str, format_name: str = "auto", companions: Iterable[Path] = ()) -> Recognised:
    """The format of a data set and its files, a split each.

    Args:
        path: A folder, or one file (whose name says its split; train if it says none).
        shown: How messages call it.
        format_name: A format's name, or auto.
        companions: Files of captions and answers, which are no splits though their names may speak of them.

    Raises:
        DataError: No format or two of them fit, two files claim one split, or a file that is named
            after a split cannot be read.
    """
    asked_for = format_name != "auto"
    forms = [FORMATS[format_name]] if asked_for else _distinct_formats()
    if path.is_file():
        head = read_head(path, shown)
        fitting = {
            form.name: {split_of(path) or "train": path} for form in forms if form.looks_like(head) or asked_for
        }
        return Recognised(*_choose_format(fitting, forms, shown, [describe_file(path)]))
    beside = set(companions)
    named = [file for file in list_named_files(path) if file.is_plain or file.path not in beside]
    fitting = {form.name: choose_files(named, form, shown, asked_for) for form in forms}
    form, files = _choose_format(fitting, forms, shown, named)
    return Recognised(form, files, list_unread(named, files, form, shown, asked_for))


def _distinct_formats() -> list[Format]:
    """Formats that files can tell apart; snap's are those of twitter, so it has to be asked for."""
    return [form for form in FORMATS.values() if form.name != "snap"]


def _choose_format(
    files: dict[str, dict[str, Path]], forms: list[Format], shown: str, named: list[NamedFile]
) -> tuple[Format, dict[str, Path]]:
    fitting = [form for form in forms if files.get(form.name)]
    if len(fitting) == 1:
        return fitting[0], files[fitting[0].name]
    if fitting:
        names = " and ".join(form.name for form in fitting)
        raise DataError(f"{shown}: holds files of the formats {names}", "Name one of them in data.format.")
    seen = "".join(f"; {writable(file.path.name)}: {explain_unread(file)}" for file in named[:5])
    raise DataError(
        f"{shown}: no annotated posts found{seen}; looked for {'; '.join(form.title for form in forms)}",
        "`cotpd data formats` shows each; convert yours to jsonl.",
    )
