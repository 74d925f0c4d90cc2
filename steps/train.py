"""train: distil the knowledge view into the prompt view; the student then needs text alone."""

from cotpd.config import Params
from cotpd.student.objectives import JointDistillation
from steps.common import STUDENT, main
from steps.training import fit, knowledge_examples


def run(params: Params) -> None:
    """Write models/student: weights, configuration and the history of the run."""
    fit(knowledge_examples, params, params.train, objective=JointDistillation(params.distil), out=STUDENT)


if __name__ == "__main__":
    main(run)
