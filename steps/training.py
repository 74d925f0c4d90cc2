"""Training one model for a step: on the data set's labels, into a folder, with its curves in MLflow."""

import os
from functools import cache
from pathlib import Path

import steps
from cotpd.config import Params
from cotpd.counts import format_count
from cotpd.pipeline.training_examples import read_label_names
from cotpd.pipeline.workspace import Workspace
from cotpd.registry.training_curves import TrainingCurves
from cotpd.student.examples import Example
from cotpd.student.objectives import FrozenDistillation, Objective
from cotpd.student.params import TrainParams
from cotpd.student.targets import Targets
from cotpd.student.training import train
from steps.common import say


def train_model(
    workspace: Workspace,
    examples: list[Example],
    valid: list[Example],
    params: Params,
    run: TrainParams,
    *,
    objective: Objective,
    out: Path,
    name: str = "",
    start: Path | None = None,
) -> None:
    """Train a model and write it into a folder, and its curves into MLflow.

    Where the curves go (register.tracking_uri) is no parameter of the stage: the model does not depend on it.

    Args:
        workspace: Holds the names of the labels, and how text became words.
        examples, valid: What it learns from, and what the epochs are scored on.
        params: Its task, architecture and seed.
        run: Its training run.
        objective: The loss.
        out: The folder to write.
        name: The model's name beside its curves; "" takes the folder's.
        start: A trained model whose weights it begins with; None begins with the bare encoder.
    """
    name = name or out.name
    warn_of_unwatched_encoder(params.student.encoder)
    say(f"{name}: {format_count(len(examples), 'training example')}")
    train(
        examples,
        valid,
        task=params.task,
        types=read_label_names(workspace, params.task),
        student=params.student,
        params=run,
        objective=objective,
        seed=params.seed,
        out=out,
        start=start,
        words=workspace.read_words(),
        curves=TrainingCurves(params.register_, name, {"student": params.student, "run": run}),
    )


@cache  # once for all teachers
def warn_of_unwatched_encoder(encoder: str) -> None:
    """Say so if an encoder is a folder that DVC does not watch: after an edit it takes the stage for current."""
    if steps.RUN is not None and Path(encoder).is_dir() and not steps.RUN.is_watched(Path(encoder)):
        line = f'- "{os.path.relpath(encoder)}"'
        say(f"{encoder}: DVC does not watch this encoder; add {line} to the stage's deps in dvc.yaml")


def train_from_teachers(
    workspace: Workspace,
    labelled: list[Example],
    unlabelled: list[Example],
    valid: list[Example],
    params: Params,
    *,
    teachers: Path,
    targets: Path,
    out: Path,
    name: str = "",
) -> None:
    """Train a student on text alone, labelled and not, with the soft targets of frozen teachers.

    Args:
        workspace, valid, params, out, name: As for :func:`train_model`.
        labelled, unlabelled: Examples without caption and answers.
        teachers: The folder of the teachers; with distil.start teacher the student begins with the first one.
        targets: The folder of their soft targets.
    """
    objective = FrozenDistillation(
        view=params.student.own_view,
        targets=Targets.load(targets),
        unlabelled=frozenset(example.id for example in unlabelled),
        params=params.distil,
    )
    train_model(
        workspace,
        labelled + unlabelled,
        valid,
        params,
        params.train,
        objective=objective,
        out=out,
        name=name,
        start=teachers / "0" if params.distil.start == "teacher" else None,
    )
