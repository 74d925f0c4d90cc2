"""The training loop: epochs, steps, and the state between them.

Trade-off: the loop is written out, some dozens of lines, over accelerate's processes (see processes.py). A whole
trainer would bring its own checkpoints, logs and order of the batches, none of which would be reproducible byte by
byte or resumable without pickle. One process and several take the same path: each computes its share of a step's
posts, and the sum over processes is the step of one process, but for rounding and for dropout, which each process
draws for itself.
"""

import math
from collections.abc import Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cotpd.devices import make_autocast
from cotpd.errors import ModelError
from cotpd.escaping import warn
from cotpd.progress import Progress
from cotpd.student.batches import measure_sizes, order_for_training
from cotpd.student.checkpoint import Checkpoint, History
from cotpd.student.curve_recorder import CurveRecorder
from cotpd.student.examples import Example
from cotpd.student.objectives import Objective
from cotpd.student.optimization import make_optimizer, set_rates
from cotpd.student.params import TrainParams
from cotpd.student.processes import Processes
from cotpd.student.scoring import score
from cotpd.student.student import Student
from cotpd.student.views import Encoded


class Training:
    """One run: its state, its epochs and its steps.

    Attributes:
        history: One row for each epoch that is finished.
        steps_done: Steps since the first epoch, those before a kill included.
        best: The weights of the best epoch so far.
        best_score: Its F1 on the valid split.
        epochs_without_gain: Epochs since the score last rose.

    Args:
        learner: The model, on the device and in the views that it is trained in.
        encoded: Training examples.
        objective: The loss to minimise.
        params: The run.
        seed: The seed of the order of the batches.
        checkpoint: Written after each epoch.
        processes: The processes that train together.
        curves: Where losses and scores are logged; None logs nothing.
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
        curves: CurveRecorder | None = None,
    ) -> None:
        self.learner, self.encoded, self.objective, self.params = learner, encoded, objective, params
        self.model, self.checkpoint = learner.model, checkpoint
        self.processes, self.curves, self.seed = processes, curves, seed
        self.optimizer = make_optimizer(self.model, params)
        self.sizes = measure_sizes(encoded, learner.example_encoder)
        self.steps = params.epochs * math.ceil(len(encoded) / params.batch_size)

        self.history: History = []
        self.steps_done = 0
        self.best: dict[str, Tensor] = {}
        self.best_score, self.epochs_without_gain = -1.0, 0

    def fit(self, valid: Sequence[Example]) -> History:
        """Run all epochs that are left and load the best epoch's weights into the model.

        Args:
            valid: Examples whose F1 picks the best epoch; where none holds a label, the last epoch is the best.
        """
        self._resume()
        has_gold = any(self.learner.labels.definition.select_counted_gold(example) for example in valid)
        if self.params.patience and valid and not has_gold and self.processes.is_main:
            warn("valid has nothing to find, so no epoch is the last one before its time")

        while len(self.history) < self.params.epochs and self.epochs_without_gain != self.params.patience:
            row: dict[str, Any] = {"epoch": len(self.history) + 1, **self.run_epoch()}
            if valid:
                row["valid"] = self._score_views(valid)
            self._record_epoch(row, has_gold)
            self._write_checkpoint()

            if self.processes.is_main:
                warn(_format_epoch(row, self.learner.labels.definition.score_name))
            if self.curves is not None:
                self.curves.log_epoch(row)

        self.model.load_state_dict(self.best)
        return self.history

    def run_epoch(self) -> dict[str, float]:
        """Pass over the training examples once; return the mean of each part of the loss."""
        self.model.train()
        number = len(self.history) + 1
        generator = np.random.default_rng([self.seed, number])
        batches = order_for_training(self.sizes, self.params.batch_size, generator)
        sums: dict[str, float] = {}
        title = f"epoch {number} of {self.params.epochs}"

        with Progress(title, len(batches), show=self.processes.is_main) as bar:
            for batch in batches:
                parts = self.run_step([self.encoded[index] for index in batch])
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + value * len(batch)
                bar.advance(note=f"loss {parts['loss']:.3f}")
                if self.curves is not None:
                    self.curves.log_step(self.steps_done, parts)

        self.model.eval()
        return {name: round(value / len(self.encoded), 6) for name, value in sums.items()}

    def run_step(self, examples: Sequence[Encoded]) -> dict[str, float]:
        """Update the weights once; return the parts of the loss, each a mean over the examples.

        Raises:
            ModelError: The loss or its gradient is no longer a number, or memory ran out.
        """
        values: dict[str, float] = {}
        for part, share in self.processes.split_step(examples, self.params.accumulate):
            for name, value in self._add_gradients(part, share).items():
                values[name] = values.get(name, 0.0) + value * share
        values = dict(zip(values, self.processes.sum_numbers(list(values.values())), strict=True))
        _require_finite("loss", values["loss"], examples)

        # the weights with a gradient depend on the views alone, so that all processes sum the same tensors
        self.processes.sum_in_place([w.grad for w in self.model.parameters() if w.grad is not None])
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.params.max_grad_norm)
        # checked before the update: afterwards the weights are NaN, and the next step's posts would be blamed
        _require_finite("gradient", norm.item(), examples)

        set_rates(self.optimizer, self.steps_done, self.steps, self.params.warmup)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps_done += 1
        return values

    def _add_gradients(self, part: Sequence[Encoded], share: float) -> dict[str, float]:
        """Add the gradients of some examples, weighted by their share of the step; return their mean losses."""
        try:
            with make_autocast(self.learner.device, self.params.bf16):
                parts = self.objective.compute_losses(self.learner, part)
            (parts["loss"] * share).backward()  # type: ignore[no-untyped-call]
        except torch.OutOfMemoryError:
            raise ModelError(
                f"out of memory on the posts {_list_ids(part)}",
                "Raise accumulate, set checkpointing, or lower student.knowledge_length.",
            ) from None
        return dict(zip(parts, torch.stack(list(parts.values())).tolist(), strict=True))

    def _score_views(self, valid: Sequence[Example]) -> dict[str, dict[str, float]]:
        """Return precision, recall and F1 of every view, in percent.

        The main process computes them while the others wait.
        """
        views, names = self.learner.views, ("precision", "recall", "f1")
        if self.processes.count == 1:
            return {view: score(self.learner, valid, view) for view in views}

        figures = [0.0] * len(views) * len(names)
        if self.processes.is_main:
            figures = []
            for view in views:
                scores = score(self.learner, valid, view)
                figures += [scores[name] for name in names]
        shared = iter(self.processes.sum_numbers(figures))  # the others add zeros: each gets the main one's scores
        return {view: dict(zip(names, islice(shared, len(names)), strict=True)) for view in views}

    def _record_epoch(self, row: dict[str, Any], has_gold: bool) -> None:
        """Append an epoch to the history, and copy its weights unless an earlier epoch scored higher.

        Without gold labels in valid, every epoch counts as better than the one before.
        """
        self.history.append(row)
        epoch_score = row["valid"][self.learner.views[0]]["f1"] if has_gold else float(row["epoch"])
        self.epochs_without_gain = 0 if epoch_score > self.best_score else self.epochs_without_gain + 1

        if epoch_score >= self.best_score:
            self.best_score = epoch_score
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def _write_checkpoint(self) -> None:
        state = {
            "history": self.history,
            "best_score": self.best_score,
            "waited": self.epochs_without_gain,
            "done": self.steps_done,
        }
        self.checkpoint.write(self.model, self.best, self.optimizer, state)

    def _resume(self) -> None:
        """Continue after the checkpoint of a killed run, if there is one."""
        checkpoint = self.checkpoint.read(self.model, self.optimizer)
        if checkpoint is None:
            return
        self.best, state = checkpoint
        self.history, self.best_score = state["history"], state["best_score"]
        self.epochs_without_gain, self.steps_done = state["waited"], state["done"]
        if self.processes.is_main:
            warn(f"going on after epoch {len(self.history)}")


def _format_epoch(row: dict[str, Any], score_name: str) -> str:
    """Return an epoch's losses, and the score in percent of each view, on one line."""
    losses = [f"{name} {value:.3f}" for name, value in row.items() if isinstance(value, float)]
    scores = [f"{view} {score_name} {view_scores['f1']:.2f}" for view, view_scores in row.get("valid", {}).items()]
    return f"epoch {row['epoch']}: " + ", ".join(losses + scores)


def _require_finite(name: str, value: float, examples: Sequence[Encoded]) -> None:
    """Fail, naming the examples' posts, if a loss or a gradient's norm is no longer a number."""
    if not math.isfinite(value):
        raise ModelError(
            f"the {name} is {value} on the posts {_list_ids(examples)}",
            "Lower the learning rates, or look at these posts.",
        )


def _list_ids(examples: Sequence[Encoded]) -> str:
    return ", ".join(example.id for example in examples)
