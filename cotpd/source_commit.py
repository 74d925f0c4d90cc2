"""The commit of a checkout, and whether it had changes."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from cotpd.outputs import read_outputs


class SourceCommit(NamedTuple):
    """A commit's hash, and whether tracked or new files differed from it."""

    commit: str
    is_changed: bool


def read_source_commit(root: Path) -> SourceCommit | None:
    """Return the commit of a project's checkout; None outside a git checkout, or before the first commit.

    The pipeline's own outputs and dvc.lock, which every run writes, are no change.
    """
    written = [f":(exclude){path}" for path in ("dvc.lock", *read_outputs(root))]
    try:
        commit = _run_git(root, "rev-parse", "HEAD")
        changes = _run_git(root, "status", "--porcelain", "--", ".", *written)
    except (OSError, subprocess.CalledProcessError):
        return None
    return SourceCommit(commit, bool(changes))


def _run_git(root: Path, *arguments: str) -> str:
    process = subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True)
    return process.stdout.strip()
