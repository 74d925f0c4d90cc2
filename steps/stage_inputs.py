"""Which inputs of a stage changed while its step ran.

DVC writes down the inputs as they are when a step ends. An edit in the meantime would pass for what the outputs
were made from, in dvc.lock and in the run cache, and no later run would notice.

Trade-off: size, time and inode of each file, as DVC's own cache of hashes compares them, and no content. That
takes a second for 100,000 files, and a file that was only touched counts as changed.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

_REFERENCE = re.compile(r"\$\{([\w.]+)\}")  # of a parameter, in dvc.yaml

Stamp = tuple[int, int, int]  # size, time of the last change, inode


@dataclass(frozen=True)
class StageInputs:
    """The files and parameters that a stage watches, as they were at one moment."""

    files: dict[str, Stamp]
    params: dict[str, Any]

    def list_changes(self, later: "StageInputs") -> list[str]:
        """Return the names of files and parameters that are new, gone or different in ``later``."""
        changes = _list_differences(self.params, later.params)
        return [f"params.yaml: {name}" for name in changes] + _list_differences(self.files, later.files)


def _list_differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def read_stage_inputs(stage: str, root: Path = Path()) -> StageInputs | None:
    """Return the inputs of a stage of dvc.yaml; None if there is no such stage, or no file that can be read."""
    try:
        stages = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"]
        values = yaml.safe_load((root / "params.yaml").read_text("utf-8"))
        definition = stages[stage]
        names = [name for name in definition.get("params", ()) if isinstance(name, str)]
        deps = [_resolve(dep, values) for dep in definition.get("deps", ()) if isinstance(dep, str)]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return None  # the step says better what is wrong with params.yaml
    is_ignored = _read_ignored(root)
    stamps = chain.from_iterable(iterate_stamps(root, dep) for dep in deps)
    files = {name: stamp for name, stamp in stamps if not is_ignored(name)}
    return StageInputs(files, {name: _find_value(values, name) for name in names})


def _resolve(dependency: str, values: Any) -> str:
    """Return a dependency with the values of the parameters that it names."""
    return os.path.normpath(_REFERENCE.sub(lambda match: str(_find_value(values, match[1])), dependency))


def _find_value(values: Any, name: str) -> Any:
    """Return the parameter of a dotted name; None if there is none."""
    for key in name.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _read_ignored(root: Path) -> Any:
    """Return a function that says whether DVC ignores a path from the project's folder (.dvcignore)."""
    from pathspec import GitIgnoreSpec  # noqa: PLC0415  comes with DVC, without which no step has a stage

    file = root / ".dvcignore"
    lines = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
    return GitIgnoreSpec.from_lines(["__pycache__", *lines]).match_file


def digest_stamps(paths: Iterable[str], root: Path = Path()) -> str:
    """Return a digest of the stamps of files and folders: an edit of any file changes it, with no content read."""
    digest = hashlib.sha256()
    for path in paths:
        for stamp in sorted(iterate_stamps(root, path)):
            digest.update(f"{stamp}\n".encode())
    return digest.hexdigest()


def iterate_stamps(root: Path, dependency: str) -> Iterator[tuple[str, Stamp]]:
    """Yield path and stamp of a file, or of each file below a folder; like DVC, follow no link that is in it."""
    yield from _iterate_stamp(root, dependency)
    for folder, below, names in os.walk(root / dependency):
        below[:] = [name for name in below if name != "__pycache__"]  # written by imports
        for name in names:
            yield from _iterate_stamp(root, os.path.relpath(Path(folder, name), root))


def _iterate_stamp(root: Path, name: str) -> Iterator[tuple[str, Stamp]]:
    try:
        status = (root / name).stat()
    except OSError:  # none, a link that leads nowhere, or removed meanwhile by another stage
        return
    if stat.S_ISREG(status.st_mode):
        yield name, (status.st_size, status.st_mtime_ns, status.st_ino)
