"""Training: one loop for the baseline (text alone) and for the student (knowledge distilled into prompts).

Trade-off: the loop is written out, some dozens of lines, and runs on one device. A trainer library would bring
several devices, and with them its own checkpoints, logs and order of the batches, none of which would be
reproducible byte by byte or resumable without pickle.
"""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from cotpd.config import DistilParams, StudentParams, TrainParams
from cotpd.errors import DataError, ModelError
from cotpd.student.batches import collate, training_order
from cotpd.student.devices import autocast
from cotpd.student.examples import Example, Task
from cotpd.student.labels import LabelSet
from cotpd.student.model import StudentModel
from cotpd.student.persistence import build, save
from cotpd.student.scoring import score
from cotpd.student.student import Student
from cotpd.student.views import Encoded, View

History = list[dict[str, Any]]
HISTORY = "history.jsonl"


def train(
    train: Sequence[Example],
    valid: Sequence[Example],
    *,
    task: Task,
    types: Sequence[str],
    student: StudentParams,
    params: TrainParams,
    distil: DistilParams | None,
    seed: int,
    out: Path | str,
) -> History:
    """Train a model and save the best epoch's into a folder.

    The best epoch is the one with the highest F1 on the valid split in the view that inference uses; without a
    valid split it is the last one.

    Args:
        train, valid: Examples; valid may be empty.
        task: ner or re.
        types: Entity types or relation labels to learn.
        student: The architecture.
        params: The run.
        distil: How the views are brought together; None trains the baseline on text alone.
        seed: Seeds the weights, the order of the batches and dropout.
        out: Folder of the model, replaced when training is over; history.jsonl goes with it.

    Returns:
        One row an epoch: losses and valid scores in percent.

    Raises:
        DataError: There is nothing to train on, or a label is outside types.
        ModelError: The encoder cannot be had, or the loss is no longer a number.
        ConfigError: The device is not there, or lengths do not fit the encoder.
    """
    if not train:
        raise DataError("there is no training example", "Look at data/prepared/summary.json.")
    seed_everything(seed)
    views: tuple[View, ...] = ("prompt", "knowledge") if distil else ("text",)
    if distil is None:
        student = student.model_copy(update={"prompt_length": 0})
    model, tokenizer, reads = build(student, LabelSet.of(task, types))
    learner = Student(model, tokenizer, student, views, reads, params.device)
    learner.bf16 = params.bf16
    run = _Run(learner, learner.tokens.encode(train), params, distil, seed)
    history = run.fit(valid)
    lines = "".join(json.dumps(row) + "\n" for row in history)
    save(learner, Path(out), extra={HISTORY: lines})
    return history


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class _Run:
    """One training run: the optimiser, its schedule and the passes."""

    def __init__(
        self,
        learner: Student,
        encoded: Sequence[Encoded],
        params: TrainParams,
        distil: DistilParams | None,
        seed: int,
    ) -> None:
        self.learner, self.encoded, self.params, self.distil = learner, encoded, params, distil
        self.random = np.random.default_rng(seed)
        self.steps = params.epochs * math.ceil(len(encoded) / params.batch_size)
        self.optimizer = make_optimizer(learner.model, params)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: rate_factor(step, self.steps, params.warmup)
        )

    def fit(self, valid: Sequence[Example]) -> History:
        """All epochs; leaves the best epoch's weights in the model."""
        history: History = []
        best, best_score, waited = None, -1.0, 0
        with _progress() as bar:
            for epoch in range(1, self.params.epochs + 1):
                row = {"epoch": epoch, **self.epoch(epoch, bar)}
                if valid:
                    row["valid"] = {view: score(self.learner, valid, view) for view in self.learner.views}
                history.append(row)
                bar.console.print(_line(row), markup=False, soft_wrap=True)
                reached = row["valid"][self.learner.views[0]]["f1"] if valid else float(epoch)
                waited += 1
                if reached > best_score:
                    best, best_score, waited = _copy(self.learner.model), reached, 0
                if waited == self.params.patience:
                    break
        self.learner.model.load_state_dict(best or {})
        return history

    def epoch(self, number: int, bar: Progress) -> dict[str, float]:
        """One pass; returns the mean of each part of the loss."""
        model, sums = self.learner.model.train(), {}
        order = training_order([one.size for one in self.encoded], self.params.batch_size, self.random)
        task = bar.add_task(f"epoch {number}", total=len(order), loss="")
        for chosen in order:
            parts = self.step([self.encoded[i] for i in chosen])
            for name, value in parts.items():
                sums[name] = sums.get(name, 0.0) + value * len(chosen)
            bar.update(task, advance=1, loss=f"loss {parts['loss']:.3f}")
        bar.remove_task(task)
        model.eval()
        return {name: round(value / len(self.encoded), 6) for name, value in sums.items()}

    def step(self, chosen: Sequence[Encoded]) -> dict[str, float]:
        """One update of the weights."""
        model, device = self.learner.model, self.learner.device
        batches = [collate(chosen, view, self.learner.tokens).to(device) for view in self.learner.views]
        with autocast(device, self.params.bf16):
            if self.distil is None:
                parts = model.text_loss(batches[0])
            else:
                parts = model.distil_loss(batches[1], batches[0], self.distil)
        values = dict(zip(parts, torch.stack(list(parts.values())).tolist(), strict=True))
        if not math.isfinite(values["loss"]):
            raise ModelError(
                f"the loss is {values['loss']} on the posts {', '.join(batches[0].names)}",
                "Lower the learning rates, or look at these posts.",
            )
        parts["loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), self.params.max_grad_norm)
        self.optimizer.step()
        self.schedule.step()
        self.optimizer.zero_grad(set_to_none=True)
        return values


def make_optimizer(model: StudentModel, params: TrainParams) -> torch.optim.AdamW:
    """AdamW with one rate for the encoder, one for what starts from nothing; no decay on biases and norms."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, weight in model.named_parameters():
        rate = params.learning_rate if name.startswith("encoder.") else params.head_learning_rate
        groups.setdefault((rate, params.weight_decay if weight.ndim > 1 else 0.0), []).append(weight)
    return torch.optim.AdamW(
        [{"params": weights, "lr": rate, "weight_decay": decay} for (rate, decay), weights in groups.items()],
        fused=True,
    )


def rate_factor(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate at a step: a linear rise over the warm-up, then a linear fall to zero."""
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    return max(0.0, (steps - step) / max(1.0, steps - rise))


def _copy(model: StudentModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _progress() -> Progress:
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, TextColumn("{task.fields[loss]}"), console=console, disable=not console.is_terminal)
    return bar


def _line(row: dict[str, Any]) -> str:
    losses = [f"{name} {value:.3f}" for name, value in row.items() if isinstance(value, float)]
    scores = [f"{view} F1 {found['f1']:.2f}" for view, found in row.get("valid", {}).items()]
    return f"epoch {row['epoch']}: " + ", ".join(losses + scores)
