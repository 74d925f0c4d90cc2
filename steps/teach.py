"""teach: train the teachers of the knowledge view and write their soft targets; only for distil.way frozen."""

import shutil
from collections.abc import Sequence

from cotpd.config import Params
from cotpd.data.tables import write_json
from cotpd.pipeline.training_examples import (
    read_knowledge_examples,
    read_label_names,
    read_unlabelled_examples,
)
from cotpd.pipeline.workspace import Workspace
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning
from cotpd.student.params import Teacher
from cotpd.student.persistence import build_model
from cotpd.student.processes import is_main_process
from cotpd.student.targets import compute_soft_targets
from steps.common import main, say
from steps.training import train_model


def run(params: Params) -> None:
    """Write models/teachers, a folder each, and data/targets; joint training leaves both without a teacher.

    A teacher that is already there, of the same examples and parameters, is not trained again.
    """
    workspace = Workspace()
    teachers = params.teach.list_teachers(params.student.encoder) if params.distil.way == "frozen" else []
    if is_main_process():
        _prepare_folders(workspace, len(teachers))
    if not teachers:
        say("teach: both views train together (distil.way: joint), so no teacher is needed")
        return

    _require_encoders(workspace, params, teachers)
    _train_teachers(workspace, params, teachers)
    if is_main_process():
        _write_soft_targets(workspace, params, len(teachers))


def _prepare_folders(workspace: Workspace, count: int) -> None:
    """Remove the teachers of an earlier run beyond ``count``: DVC leaves their folder as it is (persist).

    The number of teachers is written into both folders: DVC warns of an empty one, a dozen times a run.
    """
    workspace.teachers.mkdir(parents=True, exist_ok=True)
    current = {workspace.locate_teacher(number) for number in range(count)}
    for folder in workspace.teachers.iterdir():
        is_unfinished = folder.name.startswith(".")  # a teacher that a killed run was training, to be resumed
        if folder.is_dir() and folder not in current and not (count and is_unfinished):
            shutil.rmtree(folder)
    for folder in (workspace.teachers, workspace.targets):
        write_json(folder / "teachers.json", {"teachers": count})


def _require_encoders(workspace: Workspace, params: Params, teachers: Sequence[Teacher]) -> None:
    """Build each encoder once, so that one that cannot be loaded fails now and not after hours of training.

    Raises:
        ModelError: An encoder is not found, cannot be downloaded, or is of no use to the task.
    """
    labels = LabelSet.build(params.task, read_label_names(workspace, params.task))
    for encoder in {teacher.encoder for teacher in teachers}:
        build_model(params.student.model_copy(update={"encoder": encoder}), labels)


def _train_teachers(workspace: Workspace, params: Params, teachers: Sequence[Teacher]) -> None:
    train, valid = (read_knowledge_examples(workspace, params.task, split) for split in ("train", "valid"))
    for number, teacher in enumerate(teachers):
        student = params.student.model_copy(update={"encoder": teacher.encoder})
        teacher_params = params.model_copy(update={"seed": teacher.seed, "student": student})
        train_model(
            workspace,
            train,
            valid,
            teacher_params,
            teacher.run,
            objective=FineTuning("knowledge"),
            out=workspace.locate_teacher(number),
        )


def _write_soft_targets(workspace: Workspace, params: Params, count: int) -> None:
    """Write the teachers' soft targets of all examples that the student will learn from."""
    examples = read_knowledge_examples(workspace, params.task, "train")
    examples += read_unlabelled_examples(workspace, params.task)
    folders = [workspace.locate_teacher(number) for number in range(count)]

    device, bf16 = params.teach.device, params.teach.bf16
    targets = compute_soft_targets(folders, examples, params.distil.temperature, device=device, bf16=bf16)
    targets.save(workspace.targets)
    say(f"teach: {count} teachers, {len(examples)} examples")


if __name__ == "__main__":
    main(run)
