"""Readers of the formats in which annotated posts are published, one module a format; how one is recognised.

A format is recognised by names and first lines together: names alone cannot tell MNRE's pairs from its captions,
nor an annotation from the notes beside it. A data set that no format fits is refused, with a list of the formats.
"""

from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from cotpd.counts import format_count
from cotpd.data.readers import (
    argilla_exports,
    arrow_tables,
    brat_folders,
    conll_columns,
    csv_rows,
    doccano_rows,
    inception_tsv,
    jsonl,
    label_studio_exports,
    mnre,
    prodigy_rows,
    snap,
    spacy_docs,
    tag_rows,
    twitter,
    wikidiverse,
)
from cotpd.data.readers.csv_tables import HEADER, explain_header
from cotpd.data.readers.file_format import Format
from cotpd.data.readers.split_files import SplitFiles, choose_files, explain_unread, list_unread
from cotpd.data.readers.split_names import (
    NamedFile,
    describe_file,
    find_split,
    list_named_files,
    refuse_unnamed_files,
)
from cotpd.data.readers.text_files import read_head
from cotpd.data.readers.values import make_writable
from cotpd.errors import DataError

_ALL = (
    *(jsonl.FORMAT, twitter.FORMAT, snap.FORMAT, wikidiverse.FORMAT, mnre.FORMAT),
    *(conll_columns.FORMAT, tag_rows.FORMAT, arrow_tables.PARQUET, arrow_tables.SAVED),
    *(doccano_rows.FORMAT, label_studio_exports.FORMAT, prodigy_rows.FORMAT, brat_folders.FORMAT),
    *(spacy_docs.FORMAT, inception_tsv.FORMAT, argilla_exports.FORMAT, csv_rows.FORMAT),
)
_SHOWN = 5  # files whose reasons an error names
FORMATS: dict[str, Format] = {data_format.name: data_format for data_format in _ALL}


class DatasetFiles(NamedTuple):
    """A data set's format, its files by split, and the names of split-like files beside them that are not read."""

    data_format: Format
    files: SplitFiles
    unread: tuple[str, ...] = ()


def find_folder(path: Path, shown: str) -> Path:
    """Return the folder of a data set, which may be one file.

    Raises:
        DataError: There is no such folder or file.
    """
    remedy = "Check the path; in params.yaml it is data.path."
    try:
        if path.exists():
            return path if path.is_dir() else path.parent
    except OSError as error:  # a name of 300 characters
        raise DataError(f"{shown}: {error.strerror}", remedy) from None
    raise DataError(f"{shown}: there is no such folder or file", remedy)


def find_dataset_files(
    path: Path, shown: str, format_name: str = "auto", companions: Collection[Path] = ()
) -> DatasetFiles:
    """Return the format of a data set and its files, one for each split.

    Args:
        path: A folder, or one file; the file's name says its split, and without one it is train.
        shown: The name of the data set in messages.
        format_name: The name of a format, or auto.
        companions: Files of captions and answers, which are no splits even if their names speak of one.

    Raises:
        DataError: No format or two of them fit, two files claim one split, or a file that is named
            after a split cannot be read.
    """
    is_named = format_name != "auto"
    # snap writes the lines of twitter, so files cannot tell them apart: snap has to be named
    formats = [FORMATS[format_name]] if is_named else [form for form in FORMATS.values() if form.name != "snap"]
    if path.is_file():
        head = read_head(path, shown)
        split = find_split(path) or "train"
        alone: SplitFiles = {split: (path,)}
        candidates = {form.name: alone for form in formats if is_named or form.is_format_of(head)}
        data_format = _choose_format(candidates, formats, shown, [describe_file(path)])
        return DatasetFiles(data_format, candidates[data_format.name])

    folders = {form.name: form.find_splits(path) for form in formats if form.find_splits is not None}
    named_files = [file for file in list_named_files(path) if file.is_plain or file.path not in companions]
    candidates = {form.name: choose_files(named_files, form, shown, is_named) for form in formats}
    candidates |= {name: splits for name, splits in folders.items() if splits}
    if not named_files and not any(folders.values()):
        refuse_unnamed_files(path, shown)
    data_format = _choose_format(candidates, formats, shown, named_files)
    files = candidates[data_format.name]
    if folders.get(data_format.name):
        return DatasetFiles(data_format, files)
    return DatasetFiles(data_format, files, list_unread(named_files, files, data_format, shown, is_named))


def _choose_format(
    candidates: dict[str, SplitFiles], formats: Iterable[Format], shown: str, named_files: list[NamedFile]
) -> Format:
    """Return the only format that has files; raise DataError if none or several have."""
    fitting = [form for form in formats if candidates.get(form.name)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(form.name for form in fitting)
        files = "; ".join(_list_names(form, candidates[form.name]) for form in fitting)
        raise DataError(
            f"{shown}: holds files of the formats {names}: {files}", "Name one of them in data.format."
        )
    names = ", ".join(form.name for form in formats)
    raise DataError(
        f"{shown}: no annotated posts found{_list_reasons(named_files)}; looked for {names}",
        "`cotpd data formats` shows each. A file is named after its split, or is data.path itself.",
    )


def _list_reasons(named_files: list[NamedFile]) -> str:
    """Return why the first files are not read, and how many further ones are not."""
    reasons = [f"; {make_writable(file.path.name)}: {_explain_unread(file)}" for file in named_files[:_SHOWN]]
    hidden = len(named_files) - _SHOWN
    return "".join(reasons) + (f"; and {format_count(hidden, 'more file')}" if hidden > 0 else "")


def _explain_unread(file: NamedFile) -> str:
    """Return why a file is of no format that is read; of a table, its header and the one that it needs."""
    head = read_head(file.path, file.path.name) if file.path.is_file() and file.suffix in (".csv", ".tsv") else []
    if head and not file.packed:
        return f"{explain_header(make_writable(head[0]))} ({HEADER.removesuffix('.')})"
    return explain_unread(file)


def _list_names(data_format: Format, files: SplitFiles) -> str:
    """Name the files of a format, those alone that are written in it."""
    paths = chain.from_iterable(files.values())
    names = [make_writable(path.name) for path in paths if _is_written_in(path, data_format)]
    return f"{data_format.name} in {', '.join(names)}"


def _is_written_in(path: Path, data_format: Format) -> bool:
    return path.is_dir() or data_format.is_format_of(read_head(path, path.name))
