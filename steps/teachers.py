"""How the steps teach and control make frozen teachers and their soft targets."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from cotpd.config import Params
from cotpd.pipeline.folds import Folds, read_folds, write_folds
from cotpd.pipeline.training_examples import read_label_names
from cotpd.pipeline.workspace import Workspace
from cotpd.student.examples import Example
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning
from cotpd.student.persistence import build_model
from cotpd.student.processes import is_main_process
from cotpd.student.targets import compute_soft_targets
from cotpd.student.views import View
from steps.training import train_model


def count_teachers(params: Params) -> int:
    """Return how many teachers are trained: each once, or once without each fold."""
    return len(params.teach.list_teachers(params.student.encoder)) * params.teach.trainings_each


def remove_leftovers(folder: Path, names: Iterable[str], *, unfinished: bool) -> None:
    """Remove whatever lies in a folder beside the files and folders of these names.

    DVC does not clear a folder of persist: true. What a killed run or a user left in it would become an output.

    Args:
        folder: The folder.
        names: Of what stays.
        unfinished: Whether hidden folders go too: the models that a killed run was training, to be resumed.
    """
    for path in set(folder.glob("*")) - {folder / name for name in names}:
        is_folder = path.is_dir() and not path.is_symlink()
        if is_folder and (unfinished or not path.name.startswith(".")):
            shutil.rmtree(path)
        elif not is_folder:
            path.unlink()


def require_encoders(workspace: Workspace, params: Params) -> None:
    """Build each teacher's encoder once, so that one that cannot be loaded fails now, not after hours of training.

    Raises:
        ModelError: An encoder is not found, cannot be downloaded, or is of no use to the task.
    """
    labels = LabelSet.build(params.task, read_label_names(workspace, params.task))
    teachers = params.teach.list_teachers(params.student.encoder)
    for encoder in dict.fromkeys(teacher.encoder for teacher in teachers):
        build_model(params.student.adapt_to_teacher(encoder), labels)


def make_soft_targets(
    workspace: Workspace,
    labelled: list[Example],
    unlabelled: list[Example],
    valid: list[Example],
    params: Params,
    *,
    view: View,
    folder: Path,
    out: Path,
    prefix: str = "",
) -> None:
    """Train every teacher of the parameters, and write the soft targets of the student's examples.

    Args:
        workspace: Holds the names of the labels, and the posts that are cut into folds.
        labelled, unlabelled: What the student learns from, as the teachers read it.
        valid: What the teachers' epochs are scored on.
        params: The parameters.
        view: What the teachers read: knowledge, or text for those of the control.
        folder: Gets a folder for each teacher: 0, 1, ...
        out: Gets the soft targets.
        prefix: What the names of the teachers' curves begin with.
    """
    folds = read_folds(workspace, params.task, params.teach.folds, params.teach.seed)
    teachers = train_teachers(
        workspace, labelled, valid, params, folds=folds, view=view, folder=folder, prefix=prefix
    )
    if is_main_process():
        _write_soft_targets(params, teachers, labelled + unlabelled, folds, out)


def train_teachers(
    workspace: Workspace,
    examples: list[Example],
    valid: list[Example],
    params: Params,
    *,
    folds: Folds | None,
    view: View,
    folder: Path,
    prefix: str = "",
) -> list[Path]:
    """Train every teacher in one view, and return their folders; arguments as for :func:`make_soft_targets`.

    With folds each teacher is trained once without each of them, before the next teacher is.
    """
    folders: list[Path] = []
    parts = [folds.select_training(examples, fold) for fold in range(folds.count)] if folds else [examples]
    for teacher in params.teach.list_teachers(params.student.encoder):
        student = params.student.adapt_to_teacher(teacher.encoder)
        for part in parts:
            number = len(folders)
            folders.append(folder / str(number))
            train_model(
                workspace,
                part,
                valid,
                params.model_copy(update={"seed": teacher.seed, "student": student}),
                teacher.run,
                objective=FineTuning(view),
                out=folders[-1],
                name=f"{prefix}{number}",
            )
    return folders


def _write_soft_targets(
    params: Params, teachers: list[Path], examples: list[Example], folds: Folds | None, out: Path
) -> None:
    each = len(params.teach.list_teachers(params.student.encoder))
    targets = compute_soft_targets(
        teachers,
        examples,
        params.distil.temperature,
        withheld=folds.list_all_withheld(each) if folds else (),
        device=params.teach.device,
        bf16=params.teach.bf16,
    )
    targets.save(out)
    write_folds(folds, out)
