"""teach: train the teachers of the knowledge view and write their soft targets; only for distil.way frozen."""

from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.data.tables import write_json
from cotpd.pipeline.folds import write_folds
from cotpd.pipeline.training_examples import read_knowledge_examples, read_unlabelled_examples
from cotpd.pipeline.workspace import Workspace
from cotpd.student.processes import is_main_process
from steps.common import main, say
from steps.teachers import count_teachers, make_soft_targets, remove_leftovers, require_encoders


def run(params: Params) -> None:
    """Write models/teachers, a folder each, and data/targets; joint training leaves both without a teacher.

    A teacher that is already there, of the same examples and parameters, is not trained again.
    """
    workspace = Workspace()
    is_frozen = params.distil.way == "frozen"
    count = count_teachers(params) if is_frozen else 0
    if is_main_process():
        _prepare_folders(workspace, count)
    if not count:
        say("teach: both views train together (distil.way: joint), so no teacher is needed")
        return

    require_encoders(workspace, params)
    train, valid = (read_knowledge_examples(workspace, params.task, split) for split in ("train", "valid"))
    unlabelled = read_unlabelled_examples(workspace, params.task)
    make_soft_targets(
        workspace,
        train,
        unlabelled,
        valid,
        params,
        view="knowledge",
        folder=workspace.teachers,
        out=workspace.targets,
    )
    if is_main_process():
        _remove_leftovers(workspace, count, unfinished=True)
        say(f"teach: {format_count(count, 'teacher')}, {format_count(len(train + unlabelled), 'example')}")


def _prepare_folders(workspace: Workspace, count: int) -> None:
    """Remove the teachers of an earlier run beyond ``count``: DVC leaves their folder as it is (persist).

    The number of teachers is written into both folders: DVC warns of an empty one, a dozen times a run.
    """
    _remove_leftovers(workspace, count, unfinished=not count)
    if not count:
        write_folds(None, workspace.targets)  # a step run by hand would name teachers that are gone
    for folder in (workspace.teachers, workspace.targets):
        write_json(folder / "teachers.json", {"teachers": count})


def _remove_leftovers(workspace: Workspace, count: int, *, unfinished: bool) -> None:
    names = [workspace.locate_teacher(number).name for number in range(count)]
    remove_leftovers(workspace.teachers, [*names, "teachers.json"], unfinished=unfinished)


if __name__ == "__main__":
    main(run)
