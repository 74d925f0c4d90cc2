"""teach: train the teachers of the knowledge view and write down what they believe; only for distil.way frozen."""

import shutil

from cotpd.config import Params
from cotpd.student.examples import Example
from cotpd.student.objectives import FineTuning
from cotpd.student.processes import leads
from cotpd.student.targets import believe
from steps.common import TARGETS, TEACHERS, main, say
from steps.training import fit, knowledge_examples, unlabelled_examples


def run(params: Params) -> None:
    """Write models/teachers, a folder each, and data/targets; both stay empty where training is joint.

    A teacher that is already there, of the same examples and parameters, is not trained again.
    """
    teachers = params.teach.count if params.distil.way == "frozen" else 0
    if leads():
        _keep(teachers)
        TARGETS.mkdir(parents=True, exist_ok=True)
    if not teachers:
        say("teach: both views train together (distil.way: joint), so no teacher is needed")
        return
    examples, valid = (knowledge_examples(split, params) for split in ("train", "valid"))
    for number in range(teachers):
        _train(number, examples, valid, params)
    if not leads():
        return
    examples += unlabelled_examples(params)
    folders = [TEACHERS / str(number) for number in range(teachers)]
    believe(folders, examples, params.distil.temperature, device=params.teach.device).save(TARGETS)
    say(f"teach: {teachers} teachers, {len(examples)} examples")


def _keep(teachers: int) -> None:
    """Remove the teachers of an earlier run beyond the number wanted; DVC leaves this folder alone."""
    TEACHERS.mkdir(parents=True, exist_ok=True)
    wanted = {str(number) for number in range(teachers)}
    for folder in TEACHERS.iterdir():
        if folder.name not in wanted and not (wanted and folder.name.startswith(".")):
            shutil.rmtree(folder)


def _train(number: int, examples: list[Example], valid: list[Example], params: Params) -> None:
    student = params.student.model_copy(update={"encoder": params.teach.encoder or params.student.encoder})
    of_its_own = params.model_copy(update={"seed": params.teach.seed + number, "student": student})
    objective = FineTuning("knowledge")
    fit(examples, valid, of_its_own, params.teach.each, objective=objective, out=TEACHERS / str(number))


if __name__ == "__main__":
    main(run)
