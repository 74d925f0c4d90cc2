"""Which split a file's name speaks of, and which files of a folder hold the splits of a format.

A file that is named after a split is read or refused: what was damaged, packed or misnamed would otherwise drop a
whole split, and its score, without a word. What stands beside the splits (captions, older copies) is listed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cotpd.data.picture_lookup import ENDINGS
from cotpd.data.readers.file_format import Format
from cotpd.data.readers.text_files import PACKED_SUFFIXES, read_head
from cotpd.data.readers.values import writable
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
# Endings of files that may hold posts; pictures, notes and programs are no data, however they are named.
_KIN = (
    {".jsonl", ".json", ".ndjson", ".jsonlines", ".jl"},
    {".txt", ".conll", ".bio", ".iob", ".iob2", ".tsv", ".csv", ".ann", ""},
    {".parquet", ".arrow", ".xml", ".xlsx", ".pkl", ".feather"},
)
_DATA_SUFFIXES = frozenset().union(*_KIN)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # trainData and TRAIN_2 speak of train, latest of nothing


@dataclass(frozen=True)
class NamedFile:
    """An entry of a folder whose name speaks of splits.

    Attributes:
        path: The entry.
        split: The split it speaks of, None where it speaks of several.
        family: Its name with ``*`` for the split: mnre_train.txt and mnre_val.txt are one family.
        suffix: The lower-case ending, that of the packed file in train.jsonl.gz.
        packed: Whether the name ends as that of a packed file.
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


def split_of(path: Path) -> str | None:
    """Find the split that a file's name speaks of (train, valid, val, dev, test, between signs), if just one."""
    return _split_in(path.stem)


def list_named_files(folder: Path) -> list[NamedFile]:
    """List the entries of a folder, pictures aside, whose names speak of splits, by name.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}", "Check the path.") from None
    named = [describe_file(entry) for entry in entries if not entry.name.startswith(".")]
    return [file for file in named if file.family and file.suffix not in ENDINGS]


def _split_in(name: str) -> str | None:
    splits = {ALIASES[word] for word in _words(name) if word in ALIASES}
    return splits.pop() if len(splits) == 1 else None


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def describe_file(path: Path) -> NamedFile:
    """Take a file's name apart."""
    packed = path.suffix.lower() in PACKED_SUFFIXES
    inner = Path(path.stem) if packed else path
    suffix = inner.suffix.lower()
    stem = inner.name[: len(inner.name) - len(suffix)]
    while Path(stem).suffix.lower() in _DATA_SUFFIXES - {""}:  # train.jsonl.txt, as some editors save it
        stem = Path(stem).stem
    speaks = any(word in ALIASES for word in _words(stem))
    family = _WORDS.sub(lambda word: "*" if word.group().lower() in ALIASES else word.group(), stem)
    return NamedFile(path, _split_in(stem), (family + suffix) * speaks, suffix, packed)


def choose_files(named: Iterable[NamedFile], form: Format, shown: str, asked_for: bool) -> dict[str, Path]:
    """Choose the files of a format: those that look like it, and those named like them, whatever is in these.

    Args:
        named: What :func:`list_named_files` found.
        form: The format.
        shown: How messages call the folder.
        asked_for: Whether the format was named: then train.jsonl is the train split, whatever is in it.

    Raises:
        DataError: Two files claim one split.
    """
    candidates = [file for file in named if file.suffix == form.suffix and not file.packed and file.path.is_file()]
    fitting = [file for file in candidates if form.looks_like(read_head(file.path, file.path.name))]
    families = {file.family for file in fitting}
    by_split: dict[str | None, list[NamedFile]] = {}
    for file in candidates:
        if file.family in families or (file.is_plain and (families or asked_for)):
            by_split.setdefault(file.split, []).append(file)
    return {split: _choose_one(by_split[split], split, shown).path for split in SPLITS if split in by_split}


def _choose_one(files: list[NamedFile], split: str, shown: str) -> NamedFile:
    """Choose the file that is named after the split and nothing else, where there are several."""
    plain = [file for file in files if file.is_plain]
    if len(plain) == 1 or len(files) == 1:
        return (plain or files)[0]
    names = ", ".join(file.path.name for file in files)
    raise DataError(f"{shown}: {names} all claim to be the {split} split", "Leave one, or name it as data.path.")


def list_unread(
    named: Iterable[NamedFile], files: dict[str, Path], form: Format, shown: str, asked_for: bool
) -> tuple[str, ...]:
    """List the files that are named after splits and are not read.

    Raises:
        DataError: One of them is all there is of its split.
    """
    named = list(named)
    companions = {file.family for file in named if file.split in files and file.path not in files.values()}
    unread = [file for file in named if file.path not in files.values() and _holds_data(file, form)]
    for file in unread:
        if file.split not in (None, *files) and _is_meant(file, form, companions, asked_for):
            raise DataError(
                f"{shown}: {writable(file.path.name)} is named after the {file.split} split and cannot be read: "
                f"{explain_unread(file, form.suffix)}",
                f"Convert it to {form.name} ({file.split}{form.suffix}), or give it another name.",
            )
    return tuple(writable(file.path.name) for file in unread)


def _is_meant(file: NamedFile, form: Format, companions: set[str], asked_for: bool) -> bool:
    """Whether a file that was not chosen is meant to be its split: no companion, and of no other format."""
    is_kin = any(file.suffix in kin and form.suffix in kin for kin in _KIN) or file.suffix not in _DATA_SUFFIXES
    of_form = file.suffix == form.suffix or (is_kin and not asked_for)
    if file.is_plain:
        return of_form or not asked_for
    return of_form and file.suffix != "" and file.family not in companions


def _holds_data(file: NamedFile, form: Format) -> bool:
    """Whether a file, or a folder's files, may hold posts: programs and notes do not, nor a folder of pictures."""
    if file.path.is_dir() and not file.path.suffix:
        return any(Path(inner.name).suffix.lower() in _DATA_SUFFIXES - {""} for inner in file.path.iterdir())
    if file.suffix in _DATA_SUFFIXES:
        return True
    return file.path.is_file() and form.looks_like(read_head(file.path, file.path.name))


def explain_unread(file: NamedFile, suffix: str = "") -> str:
    """Say why a file that is named after a split is not read."""
    if file.path.is_dir():
        return "it is a folder"
    if not file.path.exists():
        return "it is a link to nothing"
    if not file.path.is_file():
        return "it is no regular file"
    if file.packed:
        return "it is packed"
    if suffix and file.suffix != suffix:
        return f"it ends in {file.suffix or 'nothing'}, not in {suffix}"
    return "it is empty" if not file.path.stat().st_size else "its first lines are of no format that is read"
