"""train: distil the knowledge into the student, jointly or from frozen teachers; it then needs text alone."""

from cotpd.config import Params
from cotpd.pipeline.training_examples import (
    read_knowledge_examples,
    read_text_examples,
    read_training_texts,
    read_unlabelled_texts,
)
from cotpd.pipeline.workspace import Workspace
from cotpd.student.objectives import JointDistillation
from steps.common import main
from steps.training import train_from_teachers, train_model


def run(params: Params) -> None:
    """Write models/student: weights, configuration and the history of the run."""
    if params.distil.way == "joint":
        _distil_jointly(Workspace(), params)
    else:
        _distil_from_teachers(Workspace(), params)


def _distil_jointly(workspace: Workspace, params: Params) -> None:
    train, valid = (read_knowledge_examples(workspace, params.task, split) for split in ("train", "valid"))

    objective = JointDistillation(params.distil)
    train_model(workspace, train, valid, params, params.train, objective=objective, out=workspace.student)


def _distil_from_teachers(workspace: Workspace, params: Params) -> None:
    train_from_teachers(
        workspace,
        read_training_texts(workspace, params.task),
        read_unlabelled_texts(workspace, params.task),
        read_text_examples(workspace, params.task, "valid"),
        params,
        teachers=workspace.teachers,
        targets=workspace.targets,
        out=workspace.student,
    )


if __name__ == "__main__":
    main(run)
