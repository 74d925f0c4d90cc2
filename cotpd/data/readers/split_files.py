"""The files of a folder that hold the splits of a format, chosen by their names and their first lines.

A file that is named after a split is read or refused: if a damaged, packed or misnamed file were passed over, a
whole split, and its score, would be missing without a message. Other files beside the splits (captions, older
copies) are listed.
"""

from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path

from cotpd.data.readers.file_format import Format
from cotpd.data.readers.split_names import (
    DATA_SUFFIXES,
    PIECE,
    RELATED_SUFFIXES,
    NamedFile,
    find_split,
    list_named_files,
    name_split_of_whole,
)
from cotpd.data.readers.text_files import UNPACK, read_head
from cotpd.data.readers.values import make_writable
from cotpd.data.records import SPLITS
from cotpd.errors import DataError

_TABLES = (".xlsx", ".xls", ".ods")

# one file or folder a split, or the pieces of a long table in their order
SplitFiles = dict[str, tuple[Path, ...]]


def choose_files(named_files: Iterable[NamedFile], data_format: Format, shown: str, is_named: bool) -> SplitFiles:
    """Choose the files of a format: those that look like it, and those named like them, whatever their content.

    Args:
        named_files: The files of the folder, from :func:`list_named_files`.
        data_format: The format.
        shown: The folder's name in messages.
        is_named: Whether the user named the format: then train.jsonl is the train split, whatever its content.

    Raises:
        DataError: Two files claim one split, or a piece of a long table is missing.
    """
    plain_files = [file for file in named_files if not file.packed and file.path.is_file()]
    candidates = [file for file in plain_files if file.suffix in data_format.suffixes]
    fitting = [file for file in candidates if _is_written_in(file, data_format)]
    families = {file.family for file in fitting}
    by_split: dict[str | None, list[NamedFile]] = {}
    for file in candidates:
        if file.family in families or (file.is_plain and (families or is_named)):
            by_split.setdefault(file.split, []).append(file)
    return {split: _choose_of_split(by_split[split], split, shown) for split in SPLITS if split in by_split}


def _is_written_in(file: NamedFile, data_format: Format) -> bool:
    return data_format.is_format_of(read_head(file.path, file.path.name))


def _choose_of_split(files: list[NamedFile], split: str, shown: str) -> tuple[Path, ...]:
    """Choose the file of a split, or its pieces; of several, what is named after the split and nothing else."""
    plain = [file for file in files if file.is_plain]
    if pieces := _order_pieces([file.path for file in plain or files], split, shown):
        return pieces
    if len(plain) == 1 or len(files) == 1:
        return ((plain or files)[0].path,)
    names = ", ".join(file.path.name for file in files)
    raise DataError(f"{shown}: {names} all claim to be the {split} split", "Leave one, or name it as data.path.")


def _order_pieces(paths: list[Path], split: str, shown: str) -> tuple[Path, ...]:
    """Return the pieces of one long table in their order; nothing if the files are not all pieces of one.

    Raises:
        DataError: One is missing, and its posts with it.
    """
    matches = [PIECE.search(path.stem) for path in paths]
    numbers = {int(match["number"]): path for match, path in zip(matches, paths, strict=True) if match}
    totals = {int(match["total"]) for match in matches if match}
    if len(numbers) < len(paths) or len(totals) != 1:
        return ()
    missing = next((number for number in range(totals.pop()) if number not in numbers), None)
    if missing is not None:
        raise DataError(
            f"{shown}: {paths[0].name} is a piece of the {split} split, and piece {missing:05d} is missing",
            "Download it, too.",
        )
    return tuple(numbers[number] for number in sorted(numbers))


def list_unread(
    named_files: Iterable[NamedFile], files: SplitFiles, data_format: Format, shown: str, is_named: bool
) -> tuple[str, ...]:
    """List the files that are named after splits and are not read.

    Raises:
        DataError: One of them is the only file of its split, which would be missing.
    """
    chosen = set(chain.from_iterable(files.values()))
    passed_over = [file for file in named_files if file.path not in chosen]
    companions = {file.family for file in passed_over if file.split in files}
    unread = [file for file in passed_over if _may_hold_posts(file, data_format)]
    for file in unread:
        if file.split not in (None, *files) and _is_meant_as_split(file, data_format, companions, is_named):
            name, reason = make_writable(file.path.name), explain_unread(file, data_format.suffixes)
            raise DataError(
                f"{shown}: {name} is named after the {file.split} split and cannot be read: {reason}",
                f"Convert it to {data_format.name} ({file.split}{data_format.suffix}), or give it another name.",
            )
    return tuple(make_writable(file.path.name) for file in unread)


def _is_meant_as_split(file: NamedFile, data_format: Format, companions: set[str], is_named: bool) -> bool:
    """Whether a file that was not chosen must have been meant as its split.

    ``companions`` are the families that hold a file beside the one that was chosen for a split, such as captions.
    """
    is_related = any(file.suffix in kin and data_format.suffix in kin for kin in RELATED_SUFFIXES)
    is_similar = is_related or file.suffix not in DATA_SUFFIXES
    may_be_of_format = file.suffix in data_format.suffixes or (is_similar and not is_named)
    if file.is_plain:
        return may_be_of_format or not is_named
    return may_be_of_format and file.suffix != "" and file.family not in companions


def _may_hold_posts(file: NamedFile, data_format: Format) -> bool:
    """Whether a file, or a folder's files, may hold posts; programs, notes and folders of pictures do not."""
    if file.path.is_dir() and not file.path.suffix:
        return any(Path(inner.name).suffix.lower() in DATA_SUFFIXES - {""} for inner in file.path.iterdir())
    if file.suffix in DATA_SUFFIXES:
        return True
    return file.path.is_file() and _is_written_in(file, data_format)


def explain_unread(file: NamedFile, suffixes: tuple[str, ...] = ()) -> str:
    """Return why a file that is named after a split is not read."""
    if file.path.is_dir():
        return "it is a folder"
    if not file.path.exists():
        return "it is a link to nothing"
    if not file.path.is_file():
        return "it is no regular file"
    if file.packed:
        command = UNPACK.get(file.path.suffix.lower(), "unpack")
        return f"it is packed ({command} {make_writable(file.path.name)})"
    if file.suffix in _TABLES:
        return "it is a spreadsheet: save it as CSV, UTF-8"
    if suffixes and file.suffix not in suffixes:
        return f"it ends in {file.suffix or 'nothing'}, not in {' or '.join(suffixes)}"
    return "it is empty" if not file.path.stat().st_size else "its first lines are of no format that is read"


def find_split_folders(
    folder: Path, holds_posts: Callable[[Path], bool], *, needs_names: bool = False
) -> SplitFiles:
    """Find the folders of a data set's splits: those named after them, or else the folder itself, as train.

    Args:
        folder: The data set.
        holds_posts: Whether a folder holds posts itself.
        needs_names: Whether the folder itself is no split where its files are named after splits.

    Raises:
        DataError: Two folders claim one split.
    """
    by_split: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        split = find_split(path) if path.is_dir() else None
        if split is None or not holds_posts(path):
            continue
        if split in by_split:
            names = f"{by_split[split].name}, {path.name}"
            raise DataError(f"{folder}: {names} all claim to be the {split} split", "Leave one of them.")
        by_split[split] = path
    if by_split:
        return {split: (by_split[split],) for split in SPLITS if split in by_split}
    if not holds_posts(folder) or (needs_names and list_named_files(folder)):
        return {}
    return {name_split_of_whole(folder): (folder,)}
