"""Mend what a killed process or a full disk leaves of DVC's own files, which DVC rewrites in place.

DVC refuses every command while dvc.lock or .dvc/tmp/rwlock is half written. A dead process that rwlock names
blocks it if another program has that number by now, as happens in each restarted container.
"""

import json
from pathlib import Path
from typing import Any

import psutil
from dvc.dvcfile import FileIsGitIgnored, Lockfile
from dvc.exceptions import DvcException
from dvc.lock import make_lock
from dvc.repo import Repo

from cotpd.errors import ConfigError

_DAMAGED = ".damaged"  # behind the name of a dvc.lock that was set aside


def repair_dvc_files(root: Path | str = ".") -> list[str]:
    """Set a damaged dvc.lock aside and clear dead processes from rwlock; return a sentence for each repair.

    A missing dvc.lock costs little: DVC's run cache has the outputs, and trainings know their own.

    Raises:
        ConfigError: dvc.lock holds the marks of an unfinished git merge.
    """
    try:
        repo = Repo(str(root), _wait_for_lock=True)
    except DvcException:
        return []  # no git repository, or no project: read_graph says so
    with repo:
        return [*_repair_rwlock(repo), *_set_damaged_lock_aside(repo)]


def _repair_rwlock(repo: Repo) -> list[str]:
    folder = Path(str(repo.tmp_dir))
    file, hardlink = folder / "rwlock", repo.config["core"].get("hardlink_lock", False)
    if not file.is_file():
        return []
    with make_lock(str(folder / "rwlock.lock"), tmp_dir=str(folder), hardlink_lock=hardlink, wait=True):
        try:
            locks = json.loads(file.read_text("utf-8"))
            living = {mode: _select_living(entries) for mode, entries in locks.items()}
        except (ValueError, AttributeError, LookupError, TypeError):
            file.unlink()
            return [f"{file} was half written, by a process that was killed or met a full disk: removed"]
        if living == locks:
            return []
        file.write_text(json.dumps(living), "utf-8")
        return [f"{file} named processes that have ended: removed from it"]


def _select_living(entries: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of rwlock, one a path, of living processes: one writer or several readers."""
    living: dict[str, Any] = {}
    for path, owners in entries.items():
        if isinstance(owners, list):
            living[path] = [owner for owner in owners if _is_holder(owner)]
        elif _is_holder(owners):
            living[path] = owners
    return {path: owners for path, owners in living.items() if owners}


def _is_holder(owner: dict[str, Any]) -> bool:
    """Whether the process of an entry lives, and is not another one that got its number."""
    try:
        command = " ".join(psutil.Process(int(owner["pid"])).cmdline())
    except psutil.Error as error:
        return isinstance(error, psutil.AccessDenied)  # another user's process, on macOS
    return command.endswith(owner["cmd"].partition(" ")[2])  # DVC notes " ".join(sys.argv)


def _set_damaged_lock_aside(repo: Repo) -> list[str]:
    file = Path(repo.root_dir) / "dvc.lock"
    with repo.lock:
        try:
            Lockfile(repo, str(file)).load()
        except FileIsGitIgnored:
            return []  # DVC refuses it, whole or not: read_graph says so
        except DvcException:
            if "<<<<<<<" in file.read_text("utf-8", "replace"):
                remedy = "Finish the merge; `git checkout --ours dvc.lock` takes this branch's."
                raise ConfigError(f"{file} holds the marks of a git merge", remedy) from None
            file.replace(f"{file}{_DAMAGED}")
            return [f"{file} was half written: set aside as {file.name}{_DAMAGED}; DVC's cache has the outputs"]
    return []
