"""train: distil the knowledge into the student, jointly or from frozen teachers; it then needs text alone."""

from cotpd.config import Params
from cotpd.student.objectives import FrozenDistillation, JointDistillation
from cotpd.student.targets import Targets
from steps.common import STUDENT, TARGETS, TEACHERS, main
from steps.training import fit, knowledge_examples, text_alone, text_examples, unlabelled_examples


def run(params: Params) -> None:
    """Write models/student: weights, configuration and the history of the run."""
    if params.distil.way == "joint":
        train, valid = (knowledge_examples(split, params) for split in ("train", "valid"))
        fit(train, valid, params, params.train, objective=JointDistillation(params.distil), out=STUDENT)
        return
    labelled, unlabelled = text_alone(knowledge_examples("train", params)), text_alone(unlabelled_examples(params))
    objective = FrozenDistillation(
        view="prompt" if params.student.prompt_length else "text",
        targets=Targets.load(TARGETS),
        unlabelled=frozenset(example.id for example in unlabelled),
        params=params.distil,
    )
    valid = text_examples("valid", params)
    start = TEACHERS / "0" if params.distil.start == "teacher" else None
    fit(labelled + unlabelled, valid, params, params.train, objective=objective, out=STUDENT, start=start)


if __name__ == "__main__":
    main(run)
