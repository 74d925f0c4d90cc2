"""Training: one loop for the baseline (text alone) and for the student (knowledge distilled into prompts).

Trade-off: the loop is written out, some dozens of lines, over accelerate's processes (see processes.py). A whole
trainer would bring its own checkpoints, logs and order of the batches, none of which would be reproducible byte by
byte or resumable without pickle. One process and several take the same path: each computes its share of a step's
posts, and what they add up to is the step of one, but for rounding and for dropout, which each draws for itself.
"""

import json
import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cotpd.config import StudentParams, TrainParams
from cotpd.devices import autocast
from cotpd.errors import DataError, ModelError
from cotpd.escaping import warn
from cotpd.progress import Progress
from cotpd.student.allocator import keep_memory
from cotpd.student.batches import sizes, training_order
from cotpd.student.calibration import fit_temperature
from cotpd.student.checkpoint import HISTORY, RUN, Checkpoint, History, checkpoint_folder, fingerprint, finished
from cotpd.student.curves import Curves, drawn
from cotpd.student.examples import Example, Task
from cotpd.student.folders import remove
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import Objective
from cotpd.student.optimization import make_optimizer, prepare, set_rates
from cotpd.student.persistence import adopt, build, digest, load
from cotpd.student.processes import Processes, leads
from cotpd.student.scoring import gold, score
from cotpd.student.student import Student
from cotpd.student.views import Encoded


def train(
    train: Sequence[Example],
    valid: Sequence[Example],
    *,
    task: Task,
    types: Sequence[str],
    student: StudentParams,
    params: TrainParams,
    objective: Objective,
    seed: int,
    out: Path | str,
    start: Path | None = None,
    curves: Curves | None = None,
) -> History:
    """Train a model and save the best epoch's into a folder; a run that was killed goes on after its last epoch.

    The best epoch is the one with the highest F1 on the valid split in the view that inference uses; without a
    valid split it is the last one.

    Args:
        train, valid: Examples; valid may be empty.
        task: ner or re.
        types: Entity types or relation labels to learn.
        student: The architecture.
        params: The run.
        objective: What is minimised, and in which views.
        seed: Seeds the weights, the order of the batches and dropout.
        out: Folder of the model, replaced when training is over; history.jsonl and the run's fingerprint go with
            it. A folder with the fingerprint of this very run is left as it is.
        start: A trained model to begin from, of the same encoder and inventory; null begins with the bare encoder.
        curves: Where losses and scores are drawn while it trains.

    Returns:
        One row an epoch: losses and valid scores in percent.

    Raises:
        DataError: There is nothing to train on, or a label is outside types.
        ModelError: The encoder or start cannot be had or do not fit, or the loss is no longer a number.
        ConfigError: The device is not there, or is not for several processes; the encoder has no checkpointing, or
            lengths do not fit the encoder.
    """
    if not train:
        raise DataError("there is no training example", "Look at data/prepared/summary.json.")
    if "prompt" not in objective.views:
        student = student.model_copy(update={"prompt_length": 0})
    labels = LabelSet.of(task, types)
    for example in valid:
        labels.targets(example)  # a label that nobody could have learnt is better known before than after hours
    begun = load(start) if start else None
    further = f"{seed} {objective.fingerprint} {digest(begun.model) if begun else ''}"
    run = fingerprint([labels, student, params, *train, *valid], further)
    if (history := finished(Path(out), run)) is not None:
        if leads():
            clear_after_kill(Path(out), run, curves)
        warn(f"{out}: trained before, from the same examples and parameters")
        return history
    keep_memory()
    processes = Processes(params.device)
    seed_everything(seed)
    model, tokenizer, reads = build(student, labels)
    if begun:
        adopt(model, begun.model)
    prepare(model, params)
    learner = Student(model, tokenizer, student, objective.views, reads, str(processes.device))
    if processes.index:
        torch.manual_seed(seed + processes.index)  # the same weights, each its own dropout
    encoded, checkpoint = learner.tokens.encode(train), Checkpoint(Path(out), run, processes)
    curves = curves if processes.main else None
    with drawn(curves, run):
        history = Training(learner, encoded, objective, params, seed, checkpoint, processes, curves).fit(valid)
        if processes.main:
            learner.temperature = fit_temperature(learner, valid)
            learner.save(out, {HISTORY: "".join(json.dumps(row) + "\n" for row in history), RUN: run + "\n"})
            checkpoint.clear()
    processes.wait()
    return history


def clear_after_kill(out: Path, run: str, curves: Curves | None) -> None:
    """Finish what a training has left that was killed between its saved model and its end."""
    remove(checkpoint_folder(out))
    if curves:
        curves.close(run)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class Training:
    """One run: where it stands, its passes and its steps.

    Args:
        learner: The model, in the device and views that it is trained in.
        encoded: Training examples.
        objective: What is minimised.
        params: The run.
        seed: Of the order of the batches.
        checkpoint: Kept after each epoch.
        processes: That train together.
        curves: What to draw on; null draws nothing.
    """

    def __init__(
        self,
        learner: Student,
        encoded: Sequence[Encoded],
        objective: Objective,
        params: TrainParams,
        seed: int,
        checkpoint: Checkpoint,
        processes: Processes,
        curves: Curves | None = None,
    ) -> None:
        self.learner, self.encoded, self.objective, self.params = learner, encoded, objective, params
        self.model, self.checkpoint = learner.model, checkpoint
        self.processes, self.curves = processes, curves
        self.optimizer = make_optimizer(self.model, params)
        self.sizes = sizes(encoded, learner.tokens)
        self.seed, self.done = seed, 0
        self.steps = params.epochs * math.ceil(len(encoded) / params.batch_size)
        self.history: History = []
        self.best: dict[str, Tensor] = {}
        self.best_score, self.waited = -1.0, 0

    def fit(self, valid: Sequence[Example]) -> History:
        """All epochs that are still to do; leaves the best epoch's weights in the model."""
        self._resume()
        judges = any(gold(example) for example in valid)  # where there is nothing to find, every epoch scores zero
        if self.params.patience and valid and not judges and self.processes.main:
            print("valid has nothing to find, so no epoch is the last one before its time", file=sys.stderr)
        while len(self.history) < self.params.epochs and self.waited != self.params.patience:
            row = {"epoch": len(self.history) + 1, **self.epoch()}
            if valid:
                row["valid"] = self._scores(valid)
            self._judge(row, judges)
            self._keep()
            if self.processes.main:
                print(_line(row), file=sys.stderr, flush=True)
            if self.curves:
                self.curves.epoch(row)
        self.model.load_state_dict(self.best)
        return self.history

    def epoch(self) -> dict[str, float]:
        """One pass; returns the mean of each part of the loss."""
        self.model.train()
        number = len(self.history) + 1
        shuffle = np.random.default_rng([self.seed, number])
        order = training_order(self.sizes, self.params.batch_size, shuffle)
        sums: dict[str, float] = {}
        title = f"epoch {number} of {self.params.epochs}"
        with Progress(title, len(order), show=self.processes.main) as bar:
            for chosen in order:
                parts = self.step([self.encoded[i] for i in chosen])
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + value * len(chosen)
                bar.advance(note=f"loss {parts['loss']:.3f}")
                if self.curves:
                    self.curves.step(self.done, parts)
        self.model.eval()
        return {name: round(value / len(self.encoded), 6) for name, value in sums.items()}

    def step(self, chosen: Sequence[Encoded]) -> dict[str, float]:
        """One update of the weights; returns the parts of the loss.

        Raises:
            ModelError: The loss or its gradient is no longer a number, or memory ran out.
        """
        values: dict[str, float] = {}
        for part, share in self.processes.share(chosen, self.params.accumulate):
            for name, value in self._backward(part, share).items():
                values[name] = values.get(name, 0.0) + value * share
        values = dict(zip(values, self.processes.total(list(values.values())), strict=True))
        _require_number("loss", values["loss"], chosen)
        # which weights a loss reaches depends on the views alone, so that all processes send the same ones
        self.processes.add([w.grad for w in self.model.parameters() if w.grad is not None])
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.params.max_grad_norm)
        _require_number("gradient", norm.item(), chosen)  # else the next posts are named, or none
        set_rates(self.optimizer, self.done, self.steps, self.params.warmup)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return values

    def _backward(self, part: Sequence[Encoded], share: float) -> dict[str, float]:
        """Add a part's gradients, weighted by its share of the step; returns the means of its losses."""
        try:
            with autocast(self.learner.device, self.params.bf16):
                parts = self.objective.losses(self.learner, part)
            (parts["loss"] * share).backward()
        except torch.OutOfMemoryError:
            raise ModelError(
                f"out of memory on the posts {_names(part)}",
                "Raise accumulate, set checkpointing, or lower student.knowledge_length.",
            ) from None
        return dict(zip(parts, torch.stack(list(parts.values())).tolist(), strict=True))

    def _scores(self, valid: Sequence[Example]) -> dict[str, dict[str, float]]:
        """Scores of every view: computed by the first process, which the others wait for."""
        views, names = self.learner.views, ("precision", "recall", "f1")
        if self.processes.count == 1:
            return {view: score(self.learner, valid, view) for view in views}
        own = [0.0] * len(views) * len(names)
        if self.processes.main:
            found = [score(self.learner, valid, view) for view in views]
            own = [one[name] for one in found for name in names]
        shared = iter(self.processes.total(own))
        return {view: {name: next(shared) for name in names} for view in views}

    def _judge(self, row: dict[str, Any], judges: bool) -> None:
        """Take the epoch into the history, and its weights if none was better; of equals the later.

        Where valid does not judge, the last epoch is the best.
        """
        self.history.append(row)
        reached = row["valid"][self.learner.views[0]]["f1"] if judges else float(row["epoch"])
        self.waited = 0 if reached > self.best_score else self.waited + 1
        if reached >= self.best_score:
            self.best_score = reached
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def _keep(self) -> None:
        state = {name: getattr(self, name) for name in ("history", "best_score", "waited", "done")}
        self.checkpoint.write(self.model, self.best, self.optimizer, state)

    def _resume(self) -> None:
        found = self.checkpoint.read(self.model, self.optimizer)
        if found is None:
            return
        self.best, state = found
        self.history, self.best_score = state["history"], state["best_score"]
        self.waited, self.done = state["waited"], state["done"]
        if self.processes.main:
            print(f"going on after epoch {len(self.history)}", file=sys.stderr)


def _line(row: dict[str, Any]) -> str:
    losses = [f"{name} {value:.3f}" for name, value in row.items() if isinstance(value, float)]
    scores = [f"{view} F1 {found['f1']:.2f}" for view, found in row.get("valid", {}).items()]
    return f"epoch {row['epoch']}: " + ", ".join(losses + scores)


def _require_number(what: str, value: float, chosen: Sequence[Encoded]) -> None:
    if not math.isfinite(value):
        raise ModelError(
            f"the {what} is {value} on the posts {_names(chosen)}",
            "Lower the learning rates, or look at these posts.",
        )


def _names(chosen: Sequence[Encoded]) -> str:
    return ", ".join(one.id for one in chosen)
