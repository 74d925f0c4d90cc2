"""control: the same teachers, posts and epochs as the student's, without knowledge; only with control.enabled.

Trade-off: a stage of its own, whose folder DVC does not delete (persist): the control can be switched on without
training student or teachers again, a killed run goes on, and switched off the stage takes a few seconds.
"""

import shutil

from cotpd.config import Params
from cotpd.data.tables import write_json
from cotpd.pipeline.training_examples import read_text_examples, read_training_texts, read_unlabelled_texts
from cotpd.pipeline.workspace import Workspace
from cotpd.student.objectives import JointDistillation
from cotpd.student.processes import is_main_process
from steps.common import main, say
from steps.teachers import count_teachers, make_soft_targets, remove_leftovers, require_encoders
from steps.training import train_from_teachers, train_model


def run(params: Params) -> None:
    """Write models/control: the student that was taught without knowledge, and its teachers if they are frozen.

    Both ways of distilling are run as they are, on the student's posts without caption and answers. Teachers then
    read the text, as the baseline does; of joint training's two views one reads the text, the other text and
    prompts.
    """
    workspace = Workspace()
    is_frozen = params.distil.way == "frozen"
    if is_main_process():
        _prepare_folder(workspace, params, teachers=_count_teachers(params))
    if not params.control.enabled:
        say("control: not trained (control.enabled: false)")
    elif is_frozen:
        _distil_from_teachers(workspace, params)
    else:
        _distil_jointly(workspace, params)
    if is_main_process():
        _remove_leftovers(workspace, params, unfinished=True)


def _count_teachers(params: Params) -> int:
    is_taught = params.control.enabled and params.distil.way == "frozen"
    return count_teachers(params) if is_taught else 0


def _prepare_folder(workspace: Workspace, params: Params, *, teachers: int) -> None:
    """Remove what an earlier run has left and this one does not write: DVC leaves the folder alone (persist)."""
    shutil.rmtree(workspace.control_targets, ignore_errors=True)
    _remove_leftovers(workspace, params, unfinished=not params.control.enabled)
    write_json(workspace.control / "control.json", {"enabled": params.control.enabled, "teachers": teachers})


def _remove_leftovers(workspace: Workspace, params: Params, *, unfinished: bool) -> None:
    numbers = map(str, range(_count_teachers(params)))
    remove_leftovers(workspace.control_teachers, numbers, unfinished=unfinished)
    names = ["control.json"] + [workspace.control_student.name] * params.control.enabled
    if _count_teachers(params):
        names += [workspace.control_teachers.name, workspace.control_targets.name]
    remove_leftovers(workspace.control, names, unfinished=unfinished)


def _distil_jointly(workspace: Workspace, params: Params) -> None:
    train_model(
        workspace,
        read_training_texts(workspace, params.task),
        read_text_examples(workspace, params.task, "valid"),
        params,
        params.train,
        objective=JointDistillation(params.distil),
        out=workspace.control_student,
        name="control",
    )


def _distil_from_teachers(workspace: Workspace, params: Params) -> None:
    labelled = read_training_texts(workspace, params.task)
    unlabelled = read_unlabelled_texts(workspace, params.task)
    examples = (labelled, unlabelled, read_text_examples(workspace, params.task, "valid"))
    require_encoders(workspace, params)

    make_soft_targets(
        workspace,
        *examples,
        params,
        view="text",
        folder=workspace.control_teachers,
        out=workspace.control_targets,
        prefix="control/",
    )
    train_from_teachers(
        workspace,
        *examples,
        params,
        teachers=workspace.control_teachers,
        targets=workspace.control_targets,
        out=workspace.control_student,
        name="control",
    )


if __name__ == "__main__":
    main(run)
