"""The digests of a registered version's files, and the comparison with them before anything is read or imported.

They lie as a tag of the version in the registry's database, not beside the files: a process that can change the
files cannot change what they are compared with. Python's caches are left out; nothing that loads a version reads
them.
"""

import json
from pathlib import Path

from cotpd.errors import ModelError
from cotpd.files import compute_sha256

FILES = "sha256.files"  # the tag: a JSON object of sha256 by path
_REMEDY = "Restore its files, or register the student again: dvc repro -f -s register."
_WRITTEN_BY_MLFLOW = "registered_model_meta"  # name and version, noted when it loads a folder


def format_digests(folder: Path) -> str:
    """Return the tag's text for a version's folder: the sha256 of every file below it, and where links lead."""
    return json.dumps(_compute_digests(folder), separators=(",", ":"))


def verify_files(folder: Path, tag: str, name: str) -> None:
    """Compare a version's folder with the digests that its tag holds since it was registered.

    Raises:
        ModelError: A file was changed, added or removed; the message names it.
    """
    registered, present = json.loads(tag), _compute_digests(folder)
    for file in sorted(registered.keys() | present.keys()):
        if registered.get(file) == present.get(file):
            continue
        change = "added" if file not in registered else "changed" if file in present else "removed"
        raise ModelError(f"{name}: {folder / file} was {change} since it was registered", _REMEDY)


def _compute_digests(folder: Path) -> dict[str, str]:
    digests = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if "__pycache__" in name.parts or str(name) == _WRITTEN_BY_MLFLOW:
            continue
        if path.is_symlink():  # even one to the same bytes: they could change after they were compared
            digests[name.as_posix()] = f"link to {path.readlink()}"
        elif path.is_file():
            digests[name.as_posix()] = compute_sha256(path)
        elif not path.is_dir():
            digests[name.as_posix()] = "no file"  # a pipe or a device, which must not be opened
    return digests
