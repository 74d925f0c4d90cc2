"""Tiny students of each task that have learnt one post by heart."""

import shutil
from pathlib import Path

from cotpd.student.params import StudentParams, TrainParams
from tests.builders import build_post

TEXT = "Ada works for Acme in Rome"
"""The post: Ada is a PER, Acme an ORG, Ada a member of Acme, and the whole is neutral."""
_POST = build_post("[Ada](PER) works for [Acme](ORG) in Rome", relations=[(0, 1, "member")], label="neutral")
_TYPES = {"ner": ("ORG", "PER"), "re": ("None", "member"), "sentiment": ("neutral", "positive")}


def train_students(encoder: Path, folder: Path) -> dict[str, Path]:
    """Train a student of each task on the CPU, and return its folder by task."""
    from cotpd.student.examples import build_examples
    from cotpd.student.objectives import FineTuning
    from cotpd.student.training import train

    for task, types in _TYPES.items():
        train(
            build_examples([_POST] * 8, task, {}, {}),
            [],
            task=task,
            types=types,
            student=StudentParams(encoder=str(encoder), prompt_length=2, generator_heads=2, dropout=0),
            params=TrainParams(epochs=30, batch_size=4, learning_rate=1e-2, head_learning_rate=3e-2, device="cpu"),
            objective=FineTuning(),
            seed=1,
            out=folder / task / "student",
        )
    return {task: folder / task / "student" for task in _TYPES}


def export_students(students: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Copy the students and export them, and return each copy's folder by task."""
    from cotpd.export.posts import gather_labelled
    from cotpd.export.writer import write_export
    from cotpd.student.examples import build_examples

    copies = {}
    for task, student in students.items():
        copies[task] = shutil.copytree(student, folder / task / "student")
        examples = build_examples([_POST] * 8, task, {}, {})
        write_export(copies[task], gather_labelled({"test": examples, "train": examples}))
    return copies
