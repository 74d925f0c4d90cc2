"""teach: train the teachers of the knowledge view and write their soft targets; only for distil.way frozen."""

import shutil

from cotpd.config import Params
from cotpd.data.tables import write_json
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning
from cotpd.student.persistence import build_model
from cotpd.student.processes import is_main_process
from cotpd.student.targets import compute_soft_targets
from steps.common import TARGETS, TEACHERS, main, say
from steps.training import fit, inventory, knowledge_examples, unlabelled_examples


def run(params: Params) -> None:
    """Write models/teachers, a folder each, and data/targets; both are without any where training is joint.

    A teacher that is already there, of the same examples and parameters, is not trained again.
    """
    teachers = params.teach.list_teachers(params.student.encoder) if params.distil.way == "frozen" else []
    if is_main_process():
        _keep(len(teachers))
        for folder in (TEACHERS, TARGETS):  # DVC warns of an empty folder, a dozen times a run
            write_json(folder / "teachers.json", {"teachers": len(teachers)})
    if not teachers:
        say("teach: both views train together (distil.way: joint), so no teacher is needed")
        return
    # An encoder that cannot be had is told now, and not after hours.
    for encoder in {teacher.encoder for teacher in teachers}:
        student = params.student.model_copy(update={"encoder": encoder})
        build_model(student, LabelSet.build(params.task, inventory(params)))
    examples, valid = (knowledge_examples(split, params) for split in ("train", "valid"))
    for number, teacher in enumerate(teachers):
        student = params.student.model_copy(update={"encoder": teacher.encoder})
        of_its_own = params.model_copy(update={"seed": teacher.seed, "student": student})
        out = TEACHERS / str(number)
        fit(examples, valid, of_its_own, teacher.run, objective=FineTuning("knowledge"), out=out)
    if not is_main_process():
        return
    examples += unlabelled_examples(params)
    folders = [TEACHERS / str(number) for number in range(len(teachers))]
    device, bf16 = params.teach.device, params.teach.bf16
    targets = compute_soft_targets(folders, examples, params.distil.temperature, device=device, bf16=bf16)
    targets.save(TARGETS)
    say(f"teach: {len(teachers)} teachers, {len(examples)} examples")


def _keep(teachers: int) -> None:
    """Remove the teachers of an earlier run beyond the number wanted; DVC leaves this folder alone."""
    TEACHERS.mkdir(parents=True, exist_ok=True)
    wanted = {str(number) for number in range(teachers)}
    for folder in TEACHERS.iterdir():
        if folder.is_dir() and folder.name not in wanted and not (wanted and folder.name.startswith(".")):
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(run)
