"""The jobs of a study: trainings, soft targets and predictions, each named by the hash of all it depends on.

Trade-off: the hash is over the examples themselves and not over how a cell came by them. Two cells that hand the
same examples to the same training share it without knowing of each other, in another study too; the price is that
planning reads all tables.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from cotpd import student as student_package
from cotpd.data.records import Record, TaskName
from cotpd.student.folder_digests import digest_local_encoder
from cotpd.student.params import DistilParams, StudentParams, TrainParams
from cotpd.studies.inputs import Source

Role = Literal["baseline", "teacher", "student", "control", "llm", "llm_zero_shot"]
DEFAULT_STUDENT, DEFAULT_DISTIL = StudentParams(), DistilParams()


class Job(Record):
    """One piece of work.

    Attributes:
        key: The hash of everything below it depends on; the name of its folder.
        kind: train writes a model, targets the soft targets of teachers, predict a table of predictions.
        title: For people.
        role: Whose training, soft targets or predictions these are.
        needs: Keys of the jobs whose output it reads: teachers, soft targets, or the model that predicts.
        examples: What it reads.
        size: The number of these examples.
        valid: train: what the epochs are scored on.
        view: train: text or knowledge for fine-tuning; joint; frozen for a student of teachers. predict: the view.
        seed, types, student, run, distil: As the pipeline's training steps take them.
        start: train: the key of the teacher whose weights it begins with.
        folds: targets: how many trainings of each teacher leave one fold out; 0 for teachers of all posts.
    """

    key: str = ""
    kind: Literal["train", "targets", "predict"]
    title: str
    role: Role
    task: TaskName
    needs: tuple[str, ...] = ()
    examples: Source
    size: int
    digest: str
    valid: Source | None = None
    view: Literal["text", "knowledge", "joint", "frozen", "own"] = "own"
    seed: int = 0
    types: tuple[str, ...] = ()
    student: StudentParams = DEFAULT_STUDENT
    run: TrainParams = TrainParams()
    distil: DistilParams = DEFAULT_DISTIL
    start: str = ""
    folds: int = 0

    @property
    def work(self) -> float:
        """The work of the job in examples read; seconds are estimated from it."""
        return float(self.size * (self.run.epochs if self.kind == "train" else 1))

    @property
    def sort(self) -> str:
        """Jobs of one sort take the same time for the same work."""
        return f"{self.kind} {self.view} {self.examples.level} {self.student.encoder}"


def compute_key(job: Job, digests: Iterable[str]) -> str:
    """Return the hash of all that a job depends on: its parameters, its examples, its needs, and the code."""
    excluded = {"key", "title", "role", "examples", "valid", "size", "digest"}
    content = {
        "job": job.model_dump(mode="json", exclude=excluded),
        "examples": list(digests),
        "code": digest_code(),
        "encoder": _digest_encoder(job.student.encoder),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


@cache
def _digest_encoder(name: str) -> str:
    """Return the digest of an encoder that is a folder, read once: a study has many jobs with the same one."""
    return digest_local_encoder(name)


@cache
def digest_code() -> str:
    """Return the hash of the code that trains and predicts: an edit of it makes cached results stale."""
    digest = hashlib.sha256()
    for module in sorted(Path(str(student_package.__file__)).parent.rglob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()
