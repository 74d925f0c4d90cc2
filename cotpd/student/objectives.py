"""The loss that a step minimises: fine-tuning of one view, both views together, or the student of frozen teachers.

Trade-off: an objective is handed examples, not tensors, and makes the batches that it needs itself. The training
loop then depends on neither views nor teachers, and a new way of training is one more class here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from cotpd.student.batches import Batch, collate
from cotpd.student.params import DistilParams
from cotpd.student.views import Encoded, View

if TYPE_CHECKING:
    from cotpd.student.student import Student
    from cotpd.student.targets import Targets


class Objective(Protocol):
    """One way of training."""

    @property
    def views(self) -> tuple[View, ...]:
        """The views that the model learns to read, the one that inference uses first.

        The first one's F1 picks the best epoch; without "prompt" among them the generator is left out.
        """

    @property
    def fingerprint(self) -> str:
        """Everything that the losses depend on beside examples and model; it enters the run's fingerprint."""

    def compute_losses(self, learner: "Student", examples: Sequence[Encoded]) -> dict[str, Tensor]:
        """Return the parts of the loss by name, each a mean over the examples, (); "loss" is minimised.

        The training loop calls it in training mode, under autocast, with a part of a step's examples (several
        processes and train.accumulate split them). It weights each part by its share of the examples.
        """


@dataclass(frozen=True)
class FineTuning:
    """Labels alone, in one view: the baseline on "text", a teacher on "knowledge"."""

    view: View = "text"

    @property
    def views(self) -> tuple[View, ...]:
        """The one view."""
        return (self.view,)

    @property
    def fingerprint(self) -> str:
        """The view."""
        return self.view

    def compute_losses(self, learner: "Student", examples: Sequence[Encoded]) -> dict[str, Tensor]:
        """Return loss, the task's own."""
        batch = make_batch(learner, examples, self.view)
        scores = learner.model(batch, self.view)
        return {"loss": learner.model.head.compute_loss(scores, batch.targets, batch.mask)}


@dataclass(frozen=True)
class JointDistillation:
    """Both views at once (arXiv 2306.14122).

    L = L_task(knowledge) + L_task(prompt) + alpha KL(knowledge || prompt)

    The knowledge side of the KL is detached: the view with more information must not learn from the other.
    """

    params: DistilParams

    @property
    def views(self) -> tuple[View, ...]:
        """The prompt view, which inference uses, and the knowledge view."""
        return ("prompt", "knowledge")

    @property
    def fingerprint(self) -> str:
        """The parameters of the distillation."""
        return self.params.model_dump_json()

    def compute_losses(self, learner: "Student", examples: Sequence[Encoded]) -> dict[str, Tensor]:
        """Return loss, the sum, and its parts: loss_knowledge, loss_prompt and kl, before it is weighted."""
        knowledge = make_batch(learner, examples, "knowledge")
        prompt = make_batch(learner, examples, "prompt")
        knowledge_scores = learner.model(knowledge, "knowledge")
        prompt_scores = learner.model(prompt, "prompt")

        head = learner.model.head
        parts = {
            "loss_knowledge": head.compute_loss(knowledge_scores, knowledge.targets, knowledge.mask),
            "loss_prompt": head.compute_loss(prompt_scores, prompt.targets, prompt.mask),
            "kl": head.compute_kl(knowledge_scores, prompt_scores, prompt.mask, self.params),
        }
        total = parts["loss_knowledge"] + parts["loss_prompt"] + self.params.alpha * parts["kl"]
        return {"loss": total, **parts}


@dataclass(frozen=True)
class FrozenDistillation:
    """Frozen teachers: alpha KL(teachers || student) on every example, gold L_task on those that have labels.

    The teachers' soft targets were computed once, so that an epoch costs the student's own view alone. With
    several teachers the KL is the mean over them. Patient teaching of this kind, also on unlabelled text, goes
    back to Hinton et al. (2015); the divergence is the exact one over whole sequences.

    Attributes:
        view: "prompt", or "text" for a student without prompts.
        targets: The teachers' soft targets by example id, computed at params.temperature.
        unlabelled: Ids of the examples that have no labels.
        params: Weights alpha and gold, and the temperature.
    """

    view: View
    targets: "Targets"
    unlabelled: frozenset[str]
    params: DistilParams

    @property
    def views(self) -> tuple[View, ...]:
        """The one view."""
        return (self.view,)

    @property
    def fingerprint(self) -> str:
        """The parameters, the unlabelled ids and a digest of the soft targets."""
        return f"{self.view} {self.params.model_dump_json()} {sorted(self.unlabelled)} {self.targets.digest}"

    def compute_losses(self, learner: "Student", examples: Sequence[Encoded]) -> dict[str, Tensor]:
        """Return loss, the weighted sum, and its parts before they are weighted: kl and loss_gold.

        Raises:
            ModelError: The teachers have no soft targets for an example.
        """
        batch = make_batch(learner, examples, self.view)
        scores, head = learner.model(batch, self.view), learner.model.head
        targets = self.targets.stack(batch.example_ids, learner.device)
        parts = {"kl": head.compute_distillation_loss(targets, scores, batch.mask, self.params)}

        parts["loss_gold"] = parts["kl"].new_zeros(())
        labelled = [index for index, name in enumerate(batch.example_ids) if name not in self.unlabelled]
        if labelled and self.params.gold:
            loss = head.compute_loss(scores[labelled], batch.targets[labelled], batch.mask[labelled])
            parts["loss_gold"] = loss * (len(labelled) / len(examples))
        total = self.params.alpha * parts["kl"] + self.params.gold * parts["loss_gold"]
        return {"loss": total, **parts}


def make_batch(learner: "Student", examples: Sequence[Encoded], view: View) -> Batch:
    """Return examples in one view as a batch on the learner's device."""
    return collate(examples, view, learner.example_encoder).to(learner.device)
