"""Training of the baseline (text alone), a teacher, or the student (knowledge distilled into prompts).

Trade-off: one function with many arguments instead of a trainer object: a run is fully described by its call, from
which its fingerprint is made, and the same call after a kill goes on with it.
"""

import json
import random
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch

from cotpd.data.records import WordSplitting
from cotpd.errors import DataError
from cotpd.escaping import warn
from cotpd.student.allocator import keep_memory
from cotpd.student.calibration import fit_temperature
from cotpd.student.checkpoint import (
    HISTORY,
    Checkpoint,
    History,
    compute_fingerprint,
    name_checkpoint_folder,
    read_finished_history,
    write_run,
)
from cotpd.student.curve_recorder import CurveRecorder
from cotpd.student.examples import Example
from cotpd.student.folder_digests import digest_local_encoder
from cotpd.student.folders import remove_folder
from cotpd.student.labels import LabelSet
from cotpd.student.model import StudentModel
from cotpd.student.objectives import Objective
from cotpd.student.optimization import prepare_for_training
from cotpd.student.params import StudentParams, TrainParams
from cotpd.student.persistence import build_model, copy_weights, digest_weights, load_model
from cotpd.student.processes import Processes, is_main_process
from cotpd.student.shortening import shorten_encoder
from cotpd.student.student import Student
from cotpd.student.tasks import TaskName
from cotpd.student.training_loop import Training
from cotpd.student.vocabulary import describe_unknown_share


def train(
    train: Sequence[Example],
    valid: Sequence[Example],
    *,
    task: TaskName,
    types: Sequence[str],
    student: StudentParams,
    params: TrainParams,
    objective: Objective,
    seed: int,
    out: Path | str,
    start: Path | None = None,
    curves: CurveRecorder | None = None,
    words: WordSplitting | None = None,
) -> History:
    """Train a model and save the best epoch's weights into a folder; a killed run goes on after its last epoch.

    The best epoch has the highest F1 on the valid split in the view that inference uses. Without a valid split it
    is the last one.

    Args:
        train, valid: Examples; valid may be empty.
        task: The task of the examples.
        types: Entity types or relation labels to learn.
        student: The architecture.
        params: The run.
        objective: The loss to minimise, and the views that it reads.
        seed: Seeds the weights, the order of the batches and dropout.
        out: Folder of the model, replaced after training; history.jsonl and the run's fingerprint lie in it. A
            folder that already holds the unchanged model of a run with this fingerprint is left as it is.
        start: A trained model to begin from, of the same encoder and inventory; None begins with the bare encoder.
        curves: Where losses and scores are logged while it trains.
        words: How the examples' text became words, which the model will need to know; None means ``social``.

    Returns:
        One row an epoch: losses, and valid scores in percent.

    Raises:
        DataError: There is no training example, or a label is not in types.
        ModelError: The encoder or start cannot be loaded or do not fit together, the loss is no longer a number,
            or memory ran out.
        ConfigError: The device does not exist or cannot be shared, the encoder cannot be checkpointed, or lengths
            do not fit the encoder.
    """
    if not train:
        raise DataError("there is no training example", "Look at data/prepared/summary.json.")
    if "prompt" not in objective.views:
        student = student.drop_prompts()
    labels = LabelSet.build(task, types)
    for example in valid:
        labels.encode_gold(example)  # fail before training, not after: valid may hold a label that train lacks

    start_model = _load_start(start, student) if start else None
    start_digest = digest_weights(start_model) if start_model else ""
    settings = f"{seed} {objective.fingerprint} {start_digest}{digest_local_encoder(student.encoder)}"
    words = words or WordSplitting()
    fingerprint = compute_fingerprint([labels, student, params, words, *train, *valid], settings)
    history = read_finished_history(Path(out), fingerprint)
    if history is not None:
        if is_main_process():
            clear_after_kill(Path(out), fingerprint, curves)
        warn(f"{out}: trained before, from the same examples and parameters")
        return history

    keep_memory()
    processes = Processes(params.device)
    learner = _build_learner(student, labels, params, objective, seed, start_model, processes)
    learner.words = words
    return _fit_and_save(learner, train, valid, objective, params, seed, Path(out), fingerprint, processes, curves)


def _load_start(folder: Path, student: StudentParams) -> StudentModel:
    """Load the model to begin from, with as many layers as the student has."""
    model = load_model(folder).model
    model.encoder = shorten_encoder(model.encoder, student.layers, str(folder))
    return model


def _build_learner(
    student: StudentParams,
    labels: LabelSet,
    params: TrainParams,
    objective: Objective,
    seed: int,
    start_model: StudentModel | None,
    processes: Processes,
) -> Student:
    """Build the model to train; all processes begin with the same weights and draw their own dropout."""
    seed_everything(seed)
    model, tokenizer, reads = build_model(student, labels)
    if start_model is not None:
        copy_weights(model, start_model)
    prepare_for_training(model, params)

    learner = Student(model, tokenizer, student, objective.views, reads, str(processes.device))
    if processes.index:
        torch.manual_seed(seed + processes.index)
    return learner


def _fit_and_save(
    learner: Student,
    train: Sequence[Example],
    valid: Sequence[Example],
    objective: Objective,
    params: TrainParams,
    seed: int,
    out: Path,
    fingerprint: str,
    processes: Processes,
    curves: CurveRecorder | None,
) -> History:
    """Run all epochs; the main process then fits the temperature and writes the model."""
    encoded = learner.example_encoder.encode(train)
    unknown = describe_unknown_share(
        learner.params.encoder, learner.example_encoder.measure_unknown_share(encoded)
    )
    if unknown and processes.is_main:
        warn(f"warning: {unknown}")
    checkpoint = Checkpoint(out, fingerprint, processes)
    curves = curves if processes.is_main else None

    with nullcontext() if curves is None else curves.record(fingerprint):
        training = Training(learner, encoded, objective, params, seed, checkpoint, processes, curves)
        history = training.fit(valid)
        if processes.is_main:
            learner.temperature = fit_temperature(learner, valid)
            rows = "".join(json.dumps(row) + "\n" for row in history)
            learner.save(out, {HISTORY: rows})
            write_run(out, fingerprint)
            checkpoint.clear()
    processes.wait()
    return history


def clear_after_kill(folder: Path, fingerprint: str, curves: CurveRecorder | None) -> None:
    """Remove the checkpoint and end the record of a training that was killed after it had saved its model."""
    remove_folder(name_checkpoint_folder(folder))
    if curves is not None:
        curves.close(fingerprint)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
