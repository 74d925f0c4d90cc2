"""Making a project, from an empty folder to the next command."""

from dataclasses import dataclass
from pathlib import Path

from cotpd.config import load_params
from cotpd.data.params import DataParams
from cotpd.data.records import TaskName
from cotpd.scaffold.first_look import FirstLook, look_at_data, look_at_nothing
from cotpd.scaffold.project_files import build_project_files
from cotpd.scaffold.project_folder import (
    describe_path,
    find_repository,
    has_git,
    refuse_mixing,
    refuse_occupied,
    start_repository,
    write_or_remove,
)

POSTS = "posts"  # where the data set of a project is looked for that was made without one


@dataclass(frozen=True)
class NewProject:
    """A project that was made.

    Attributes:
        folder: Where it is.
        look: What was seen of the data.
        files: The paths that were written.
        repository: A sentence on git and DVC.
    """

    folder: Path
    look: FirstLook
    files: tuple[str, ...]
    repository: str


def create_project(
    folder: Path, data: Path | None = None, task: TaskName | None = None, reading: DataParams | None = None
) -> NewProject:
    """Make a project in a folder that holds no files of its own.

    Args:
        folder: Where; it is made if it does not exist.
        data: The data set, which stays where it is; None leaves it for later.
        task: The task that the user names; otherwise the data decide.
        reading: Format, offsets and whatever else the user names of how the data set is read.

    Raises:
        ConfigError: The folder is occupied or cannot be written to, or there is no such task.
        DataError: The data set cannot be read, or is not annotated for the task.
    """
    refuse_occupied(folder, data)
    if data is None:
        look = look_at_nothing(task, POSTS)
    else:
        look = look_at_data(data, task, reading or DataParams(), describe_path(data, folder))
    files = build_project_files(look, name=folder.resolve().name, has_git=has_git())
    refuse_mixing(folder, data, files)
    with write_or_remove(folder, files):
        load_params(folder / "params.yaml")  # data.path may lie within an output
        repository = _set_up_repository(folder)
    return NewProject(folder, look, tuple(files), repository)


def _set_up_repository(folder: Path) -> str:
    """Make the folder a repository unless it lies in one; return a sentence on what it is."""
    if not has_git():
        return "git is not installed, so DVC works without it; later: git init && dvc config --unset core.no_scm"
    top = find_repository(folder)
    if top is None:
        start_repository(folder)
        return "a git repository and a DVC project of its own"
    if top.resolve() == folder.resolve():
        return "a DVC project in the git repository that was here"
    return f"a DVC project of its own within the git repository {top}, as `dvc init --subdir` makes one"
