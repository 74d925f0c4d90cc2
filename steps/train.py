"""train: distil the knowledge into the student, jointly or from frozen teachers; it then needs text alone."""

from cotpd.config import Params
from cotpd.pipeline.training_examples import (
    read_knowledge_examples,
    read_text_examples,
    read_unlabelled_examples,
    remove_knowledge,
)
from cotpd.pipeline.workspace import Workspace
from cotpd.student.objectives import FrozenDistillation, JointDistillation
from cotpd.student.targets import Targets
from steps.common import main
from steps.training import train_model


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
    """Train the student on text alone, labelled and not, with the soft targets of the teachers."""
    labelled = remove_knowledge(read_knowledge_examples(workspace, params.task, "train"))
    unlabelled = remove_knowledge(read_unlabelled_examples(workspace, params.task))
    valid = read_text_examples(workspace, params.task, "valid")

    objective = FrozenDistillation(
        view=params.student.own_view,
        targets=Targets.load(workspace.targets),
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
        out=workspace.student,
        start=workspace.locate_teacher(0) if params.distil.start == "teacher" else None,
    )


if __name__ == "__main__":
    main(run)
