"""The folder of a new project: what it may hold already, its repository, and writing it."""

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from cotpd.errors import ConfigError

SHOWN = 3  # files that are named
_ALLOWED = {".git"}  # of a repository that was cloned empty


def refuse_occupied(folder: Path, data: Path | None) -> None:
    """Refuse a folder that holds files of its own; its repository and the data set itself may lie there.

    Raises:
        ConfigError: It is a file, cannot be listed, or holds something else.
    """
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise ConfigError(f"{folder}: is no folder", "Name a new one.")
    allowed = _ALLOWED | _find_own_entry(folder, data)
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.name not in allowed)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror or error}", "Name a folder that you may read.") from error
    if not names:
        return
    unnamed = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    remedy = "Name a folder that does not exist yet, or an empty one."
    if "code.yaml" in names:
        remedy = "It is a project already; after an upgrade of cotpd run there: cotpd init --upgrade"
    raise ConfigError(f"{folder}: holds files of its own: {', '.join(names[:SHOWN])}{unnamed}", remedy)


def _find_own_entry(folder: Path, data: Path | None) -> set[str]:
    """Return the name of the folder's entry in which the data set lies, if it lies in one."""
    if data is None or not data.resolve().is_relative_to(folder.resolve()):
        return set()
    return {*data.resolve().relative_to(folder.resolve()).parts[:1]}


def refuse_mixing(folder: Path, data: Path | None, files: Iterable[str]) -> None:
    """Refuse a data set whose folder in the project has the name of one of the project's own.

    Raises:
        ConfigError: Files of both would lie there.
    """
    names = _find_own_entry(folder, data) & {Path(name).parts[0] for name in files}
    if names:
        problem = f"{folder}/{names.pop()} holds the data set, and the project's own files go there"
        raise ConfigError(problem, f"Rename it, for example to {folder}/posts, and name that.")


def describe_path(data: Path, folder: Path) -> str:
    """Return the path of a data set for the parameters of a project.

    It is relative if both lie below one parent, so that they can be moved together; otherwise absolute.
    """
    target = data.absolute().parent.resolve() / data.name if data.name not in ("", "..") else data.resolve()
    home = folder.resolve()
    if target.is_relative_to(home.parent) and target != home.parent:
        return Path(os.path.relpath(target, home)).as_posix()
    return target.as_posix()


@contextmanager
def write_or_remove(folder: Path, files: Mapping[str, str]) -> Iterator[None]:
    """Write files below a folder, and remove them again if that or the block fails: no half of a project stays.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    written: list[Path] = []
    try:
        for name, text in files.items():
            _write_file(folder / name, text, written)
        yield
    except OSError as error:
        _remove(written)
        problem = f"{error.filename or folder}: {error.strerror or error}"
        raise ConfigError(problem, "Name a folder that you may write to, with room for 1 MB.") from error
    except BaseException:
        _remove(written)
        raise


def _write_file(path: Path, text: str, written: list[Path]) -> None:
    """Write one file; add the folders that are made for it, outermost first, and the file to ``written``.

    They are added before they are made: a disk that is full leaves a file without its end.
    """
    written += [parent for parent in (*reversed(path.parents), path) if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8", newline="\n")


def _remove(paths: list[Path]) -> None:
    for path in reversed(paths):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def find_repository(folder: Path) -> Path | None:
    """Return the top of the git repository that a folder belongs to; None outside one, or where git ignores it.

    Raises:
        ConfigError: Git refuses to look into the repository, as into one of another user.
    """
    process = _run_git(folder, "rev-parse", "--show-toplevel")
    if "safe.directory" in process.stderr:
        problem = f"{folder}: {process.stderr.strip().splitlines()[0]}"
        raise ConfigError(
            problem,
            "Name a folder outside of it, or let git trust it: git config --global --add safe.directory DIR",
        )
    if process.returncode or _run_git(folder, "check-ignore", "--quiet", ".").returncode == 0:
        return None
    return Path(process.stdout.strip())


def has_git() -> bool:
    """Whether git is on this machine."""
    return shutil.which("git") is not None


def start_repository(folder: Path) -> None:
    """Run `git init` in a folder.

    Raises:
        ConfigError: Git refuses; the message holds its words.
    """
    process = _run_git(folder, "init", "--quiet")
    if process.returncode:
        raise ConfigError(f"{folder}: git init: {process.stderr.strip()}", "Mend it, then run there: git init")


def _run_git(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run git with messages in English."""
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
