"""Names of files: the split that a name speaks of, and the files of a folder that are named after splits."""

import re
from dataclasses import dataclass
from pathlib import Path

from cotpd.data.picture_lookup import ENDINGS as PICTURE_ENDINGS
from cotpd.data.readers.text_files import PACKED_SUFFIXES
from cotpd.data.readers.values import make_writable
from cotpd.errors import DataError

SPLIT_OF_WORD = {
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
# Endings of files that may hold posts, by kind; pictures, notes and programs are no data, whatever their names.
RELATED_SUFFIXES = (
    {".jsonl", ".json", ".ndjson", ".jsonlines", ".jl"},
    {".txt", ".conll", ".bio", ".iob", ".iob2", ".tsv", ".csv", ".annotated", ".ann", ""},
    {".spacy"},
    {".parquet", ".arrow", ".xml", ".xlsx", ".pkl", ".feather"},
)
DATA_SUFFIXES = frozenset().union(*RELATED_SUFFIXES)
# trainData and TRAIN_2 speak of train, latest of nothing
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
# train-00000-of-00003.parquet, as the hub has tables
PIECE = re.compile(r"-(?P<number>\d{1,9})-of-(?P<total>\d{1,9})$")


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
    names = [entry.name for entry in entries if entry.is_file() and entry.suffix.lower() in DATA_SUFFIXES - {""}]
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
    return bool(list_named_files(folder)) or not endings.isdisjoint(DATA_SUFFIXES - {""})


def _find_split_in(name: str) -> str | None:
    """Return the only split that a name speaks of; None if it speaks of none or several."""
    splits = {SPLIT_OF_WORD[word] for word in _split_words(name) if word in SPLIT_OF_WORD}
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
    while Path(stem).suffix.lower() in DATA_SUFFIXES - {""}:  # train.jsonl.txt, as some editors save it
        stem = Path(stem).stem
    family, stem = "", PIECE.sub("", stem)
    if any(word in SPLIT_OF_WORD for word in _split_words(stem)):
        family = _WORDS.sub(_mask_split, stem) + suffix
    return NamedFile(path, _find_split_in(stem), family, suffix, packed)


def _mask_split(word: re.Match[str]) -> str:
    """Return ``*`` for a word that names a split, and any other word as it is."""
    return "*" if word.group().lower() in SPLIT_OF_WORD else word.group()


def name_split_of_whole(folder: Path) -> str:
    """Return the split of a data set that is one folder: train, unless the folder is called test and no more.

    A folder such as brat-test-export is a whole data set, not the test split of one.
    """
    return SPLIT_OF_WORD.get(folder.resolve().name.lower(), "train")
