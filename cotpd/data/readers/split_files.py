"""Splits by file names: which split a name speaks of, and which files of a folder hold the splits of a format.

A file that is named after a split is read or refused: if a damaged, packed or misnamed file were passed over, a
whole split, and its score, would be missing without a message. Other files beside the splits (captions, older
copies) are listed.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from cotpd.data.picture_lookup import ENDINGS as PICTURE_ENDINGS
from cotpd.data.readers.file_format import Format
from cotpd.data.readers.text_files import PACKED_SUFFIXES, UNPACK, read_head
from cotpd.data.readers.values import make_writable
from cotpd.data.records import SPLITS
from cotpd.errors import DataError

ALIASES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "devel": "valid",
    "development": "valid",
    "test": "test",
    "testing": "test",
}
# Endings of files that may hold posts, by kinship; pictures, notes and programs are no data, whatever their names.
_KIN = (
    {".jsonl", ".json", ".ndjson", ".jsonlines", ".jl"},
    {".txt", ".conll", ".bio", ".iob", ".iob2", ".tsv", ".csv", ".annotated", ".ann", ""},
    {".spacy"},
    {".parquet", ".arrow", ".xml", ".xlsx", ".pkl", ".feather"},
)
_DATA_SUFFIXES = frozenset().union(*_KIN)
_TABLES = (".xlsx", ".xls", ".ods")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # trainData and TRAIN_2 speak of train, latest of nothing
# train-00000-of-00003.parquet, as the hub has tables
_PIECE = re.compile(r"-(?P<number>\d{1,9})-of-(?P<total>\d{1,9})$")


# one file or folder a split, or the pieces of a long table in their order
SplitFiles = dict[str, tuple[Path, ...]]


@dataclass(frozen=True)
class NamedFile:
    """An entry of a folder whose name speaks of splits.

    Attributes:
        path: The entry.
        split: The split it speaks of; None if it speaks of several.
        family: Its name with ``*`` for the split: mnre_train.txt and mnre_val.txt are one family. Empty if the
            name speaks of no split.
        suffix: The lower-case ending; of train.jsonl.gz it is that of the file inside.
        packed: Whether the name has the ending of a packed file.
    """

    path: Path
    split: str | None
    family: str
    suffix: str
    packed: bool

    @property
    def is_plain(self) -> bool:
        """Whether the file is named after its split and nothing else."""
        return self.family in ("*", f"*{self.suffix}")


def find_split(path: Path) -> str | None:
    """Return the split that a file's name speaks of (train, valid, val, dev, test ...), if it is just one."""
    return _find_split_in(path.stem)


def list_named_files(folder: Path) -> list[NamedFile]:
    """List the entries of a folder, pictures aside, whose names speak of splits, by name.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}", "Check the path.") from None
    named_files = [describe_file(entry) for entry in entries if not entry.name.startswith(".")]
    return [file for file in named_files if file.family and file.suffix not in PICTURE_ENDINGS]


def refuse_unnamed_files(folder: Path, shown: str) -> None:
    """Refuse a folder whose data lie in files that are named after no split, or one folder deeper.

    Raises:
        DataError: There are such files; the message names them.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    deeper = [entry.name for entry in entries if entry.is_dir() and _has_data_files(entry)]
    names = [entry.name for entry in entries if entry.is_file() and entry.suffix.lower() in _DATA_SUFFIXES - {""}]
    if first := next(iter(names or deeper), None):
        count = len(names or deeper) - 1
        more = f" and {count} more" if count else ""
        content = f"{make_writable(first)}{more}"
        raise DataError(
            f"{shown}: no annotated posts found: no file is named after a split; there is {content}",
            f"Name {make_writable(f'{shown}/{first}')} itself, or call the files train, valid and test.",
        )


def _has_data_files(folder: Path) -> bool:
    """Whether a folder may be a data set itself."""
    endings = {entry.suffix.lower() for entry in folder.iterdir() if entry.is_file()}
    return bool(list_named_files(folder)) or not endings.isdisjoint(_DATA_SUFFIXES - {""})


def _find_split_in(name: str) -> str | None:
    """Return the only split that a name speaks of; None if it speaks of none or several."""
    splits = {ALIASES[word] for word in _split_words(name) if word in ALIASES}
    return splits.pop() if len(splits) == 1 else None


def _split_words(name: str) -> list[str]:
    """Split a name at signs and capitals into words in lower case."""
    return [word.lower() for word in _WORDS.findall(name)]


def describe_file(path: Path) -> NamedFile:
    """Return what a file's name says: its split, family and ending."""
    packed = path.suffix.lower() in PACKED_SUFFIXES
    inner = Path(path.stem) if packed else path
    suffix = inner.suffix.lower()
    stem = inner.name[: len(inner.name) - len(suffix)]
    while Path(stem).suffix.lower() in _DATA_SUFFIXES - {""}:  # train.jsonl.txt, as some editors save it
        stem = Path(stem).stem
    family, stem = "", _PIECE.sub("", stem)
    if any(word in ALIASES for word in _split_words(stem)):
        family = _WORDS.sub(lambda word: "*" if word.group().lower() in ALIASES else word.group(), stem) + suffix
    return NamedFile(path, _find_split_in(stem), family, suffix, packed)


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
    matches = [_PIECE.search(path.stem) for path in paths]
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
    shares_kinship = any(file.suffix in kin and data_format.suffix in kin for kin in _KIN)
    is_similar = shares_kinship or file.suffix not in _DATA_SUFFIXES
    may_be_of_format = file.suffix in data_format.suffixes or (is_similar and not is_named)
    if file.is_plain:
        return may_be_of_format or not is_named
    return may_be_of_format and file.suffix != "" and file.family not in companions


def _may_hold_posts(file: NamedFile, data_format: Format) -> bool:
    """Whether a file, or a folder's files, may hold posts; programs, notes and folders of pictures do not."""
    if file.path.is_dir() and not file.path.suffix:
        return any(Path(inner.name).suffix.lower() in _DATA_SUFFIXES - {""} for inner in file.path.iterdir())
    if file.suffix in _DATA_SUFFIXES:
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


def name_split_of_whole(folder: Path) -> str:
    """Return the split of a data set that is one folder: train, unless the folder is called test and no more.

    A folder such as brat-test-export is a whole data set, not the test split of one.
    """
    return ALIASES.get(folder.resolve().name.lower(), "train")
