"""Training frozen teachers and writing their soft targets, for the steps teach and control.

`python -m steps.teachers` trains one teacher, as a process beside others; its request says which.
"""

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import BaseModel

from cotpd.config import Params
from cotpd.errors import CotpdError
from cotpd.escaping import mark_logs
from cotpd.pipeline.folds import Folds, read_folds, write_folds
from cotpd.pipeline.training_examples import (
    read_knowledge_examples,
    read_label_names,
    read_text_examples,
    read_training_texts,
)
from cotpd.pipeline.workspace import Workspace
from cotpd.student.examples import Example
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning
from cotpd.student.params import TrainParams
from cotpd.student.persistence import build_model
from cotpd.student.processes import is_main_process
from cotpd.student.targets import compute_soft_targets
from cotpd.student.tasks import TaskName
from cotpd.student.views import View
from steps.common import say
from steps.process_pool import read_request, run_at_once
from steps.training import train_model, warn_of_unwatched_encoder

TRAININGS = "COTPD_TRAININGS"  # the environment variable that outweighs scale.trainings: a stage's share of a flow


class TeacherTraining(NamedTuple):
    """One training of a teacher: without one fold, if there are folds."""

    name: str
    fold: int | None
    params: Params
    run: TrainParams
    out: Path


class TeacherRequest(BaseModel):
    """The request to a process that trains one of the teachers: its number, and the arguments of the step."""

    number: int
    params: Params
    view: View
    folder: Path
    prefix: str


def count_teachers(params: Params) -> int:
    """Return how many teachers are trained: each once, or once without each fold."""
    return len(params.teach.list_teachers(params.student.encoder)) * params.teach.trainings_each


def remove_leftovers(folder: Path, names: Iterable[str], *, unfinished: bool) -> None:
    """Remove whatever lies in a folder beside the files and folders of these names.

    DVC does not clear a folder of persist: true. What a killed run or a user left in it would become an output.

    Args:
        folder: The folder.
        names: The names of the files and folders that stay.
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
        warn_of_unwatched_encoder(encoder)
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

    With folds each teacher is trained once without each of them, before the next teacher is. Where several may be
    trained at once, each is in a process of its own, which reads its examples itself.
    """
    trainings = list_trainings(params, folder, prefix)
    at_once = min(count_at_once(params), len(trainings))
    if at_once < 2:
        for training in trainings:
            train_teacher(workspace, training, examples, valid, folds, view)
    else:
        say(f"teachers: {len(trainings)}, {at_once} at once")
        requests = {
            f"teacher {training.name}": TeacherRequest(
                number=number, params=params, view=view, folder=folder, prefix=prefix
            ).model_dump_json(by_alias=True)
            for number, training in enumerate(trainings)
        }
        run_at_once("steps.teachers", requests, list_slots(at_once, params.teach.device))
    return [training.out for training in trainings]


def list_trainings(params: Params, folder: Path, prefix: str) -> list[TeacherTraining]:
    """Return the trainings that make the teachers, in order; arguments as for :func:`make_soft_targets`."""
    trainings: list[TeacherTraining] = []
    for teacher in params.teach.list_teachers(params.student.encoder):
        student = params.student.adapt_to_teacher(teacher.encoder)
        own = params.model_copy(update={"seed": teacher.seed, "student": student})
        for fold in range(params.teach.trainings_each):
            name = str(len(trainings))
            left_out = fold if params.teach.trainings_each > 1 else None
            trainings.append(TeacherTraining(f"{prefix}{name}", left_out, own, teacher.run, folder / name))
    return trainings


def train_teacher(
    workspace: Workspace,
    training: TeacherTraining,
    examples: list[Example],
    valid: list[Example],
    folds: Folds | None,
    view: View,
) -> None:
    """Train one teacher in one view; arguments as for :func:`make_soft_targets`."""
    train_model(
        workspace,
        examples if folds is None or training.fold is None else folds.select_training(examples, training.fold),
        valid,
        training.params,
        training.run,
        objective=FineTuning(view),
        out=training.out,
        name=training.name,
    )


def count_at_once(params: Params) -> int:
    """Return how many teachers may be trained at once; one where processes train it together (torchrun)."""
    if "RANK" in os.environ:
        return 1
    return int(os.environ.get(TRAININGS) or params.scale.trainings)


def list_slots(count: int, device: str) -> list[dict[str, str]]:
    """Return the environment of each training at once: a GPU of its own, as far as there are several."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = list(map(str, range(torch.cuda.device_count()))) if visible is None else visible.split(",")
    if device not in ("auto", "cuda") or len(gpus) < 2:
        return [{}] * count
    return [{"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} for number in range(count)]


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


def main() -> None:
    """Train the teacher that standard input asks for; the exit status is 1 after one that cannot be trained."""
    mark_logs()
    request = TeacherRequest.model_validate_json(read_request())
    params, workspace = request.params, Workspace()
    try:
        read_training = read_training_texts if request.view == "text" else _read_labelled
        read_valid = read_text_examples if request.view == "text" else read_knowledge_examples
        folds = read_folds(workspace, params.task, params.teach.folds, params.teach.seed)
        training = list_trainings(params, request.folder, request.prefix)[request.number]
        valid = read_valid(workspace, params.task, "valid")
        train_teacher(workspace, training, read_training(workspace, params.task), valid, folds, request.view)
    except CotpdError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _read_labelled(workspace: Workspace, task: TaskName) -> list[Example]:
    return read_knowledge_examples(workspace, task, "train")


if __name__ == "__main__":
    main()
