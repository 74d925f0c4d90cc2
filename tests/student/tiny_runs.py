"""Students of tiny encoders: one built for an objective, one trained and saved."""

from collections.abc import Sequence
from pathlib import Path

import torch

from cotpd.student.checkpoint import History
from cotpd.student.examples import Example
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning, JointDistillation, Objective
from cotpd.student.params import DistilParams, StudentParams, TrainParams
from cotpd.student.persistence import build_model
from cotpd.student.student import Student
from cotpd.student.training import train

TYPES = {"ner": ["PER", "LOC", "ORG"], "re": ["lives_in", "None"]}


def build_learner(params: StudentParams, objective: Objective, task: str = "ner") -> Student:
    """Build an untrained student on the CPU that reads the views of an objective."""
    torch.manual_seed(1)
    model, tokenizer, reads = build_model(params, LabelSet.build(task, TYPES[task]))
    return Student(model, tokenizer, params, objective.views, reads, "cpu")


def train_model(
    examples: Sequence[Example],
    student: StudentParams,
    params: TrainParams,
    out: Path,
    *,
    task: str = "ner",
    distil: bool = True,
    valid: Sequence[Example] | None = None,
    seed: int = 3,
) -> History:
    """Train a student into a folder, by joint distillation or on text alone; valid is the training split if None."""
    return train(
        examples,
        examples if valid is None else valid,
        task=task,
        types=TYPES[task],
        student=student,
        params=params,
        objective=JointDistillation(DistilParams()) if distil else FineTuning(),
        seed=seed,
        out=out,
    )
