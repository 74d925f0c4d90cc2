"""What a step minimises: plain fine-tuning of one view, or both views brought together.

Trade-off: an objective is handed examples, not tensors, and makes the batches that it needs itself. The loop then
knows nothing of views or teachers, and a further way of training is one more class here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from cotpd.config import DistilParams
from cotpd.student.batches import Batch, collate
from cotpd.student.views import Encoded, View

if TYPE_CHECKING:
    from cotpd.student.student import Student
    from cotpd.student.targets import Targets


class Objective(Protocol):
    """One way of training."""

    @property
    def views(self) -> tuple[View, ...]:
        """What the model learns to read, the view that inference uses first.

        The best epoch is picked by the first; without "prompt" among them the generator is left out.
        """

    @property
    def fingerprint(self) -> str:
        """All that the losses depend on beside the examples and the model: another makes a checkpoint useless."""

    def losses(self, learner: "Student", chosen: Sequence[Encoded]) -> dict[str, Tensor]:
        """The parts of the loss by name, each a mean over ``chosen``; "loss" is what is minimised.

        The loop calls it in training mode, under autocast, with a part of a step's examples (several processes
        and train.accumulate split them) and adds the parts up, each weighted by its share of the examples.
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

    def losses(self, learner: "Student", chosen: Sequence[Encoded]) -> dict[str, Tensor]:
        """The task's loss."""
        batch = batch_of(learner, chosen, self.view)
        scores = learner.model(batch, self.view)
        return {"loss": learner.model.head.loss(scores, batch.targets, batch.mask)}


@dataclass(frozen=True)
class JointDistillation:
    """Both views at once (arXiv 2306.14122).

    L = L_task(knowledge) + L_task(prompt) + alpha KL(knowledge || prompt)

    The knowledge side of the KL is detached: knowledge teaches and does not learn from what knows less.
    """

    params: DistilParams

    @property
    def views(self) -> tuple[View, ...]:
        """The prompt view, which inference uses, and the knowledge view."""
        return ("prompt", "knowledge")

    @property
    def fingerprint(self) -> str:
        """How the views are brought together."""
        return self.params.model_dump_json()

    def losses(self, learner: "Student", chosen: Sequence[Encoded]) -> dict[str, Tensor]:
        """The sum and its parts."""
        knowledge, prompt = batch_of(learner, chosen, "knowledge"), batch_of(learner, chosen, "prompt")
        head = learner.model.head
        teacher, student = learner.model(knowledge, "knowledge"), learner.model(prompt, "prompt")
        parts = {
            "loss_knowledge": head.loss(teacher, knowledge.targets, knowledge.mask),
            "loss_prompt": head.loss(student, prompt.targets, prompt.mask),
            "kl": head.kl(teacher, student, prompt.mask, self.params),
        }
        total = parts["loss_knowledge"] + parts["loss_prompt"] + self.params.alpha * parts["kl"]
        return {"loss": total, **parts}


@dataclass(frozen=True)
class Taught:
    """Frozen teachers: alpha KL(teachers || student) on every example, gold L_task on those that have labels.

    What the teachers believe was computed once, so that an epoch costs the student's own view alone; with several
    teachers the KL is the mean of theirs. Patient teaching of this kind, also on unlabelled text, goes back to
    Hinton et al. (2015); the divergence is the exact one over whole sequences.

    Attributes:
        view: "prompt", or "text" for a student without prompts.
        targets: What the teachers believe, by example id, computed at params.temperature.
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
        """The weights, and all that is believed."""
        return f"{self.view} {self.params.model_dump_json()} {sorted(self.unlabelled)} {self.targets.digest}"

    def losses(self, learner: "Student", chosen: Sequence[Encoded]) -> dict[str, Tensor]:
        """The weighted sum and its parts."""
        batch = batch_of(learner, chosen, self.view)
        scores, head = learner.model(batch, self.view), learner.model.head
        belief = self.targets.batch(batch.names, learner.device)
        parts = {"kl": head.taught(belief, scores, batch.mask, self.params.temperature)}
        parts["loss_gold"] = parts["kl"].new_zeros(())
        labelled = [at for at, name in enumerate(batch.names) if name not in self.unlabelled]
        if labelled and self.params.gold:
            own = head.loss(scores[labelled], batch.targets[labelled], batch.mask[labelled])
            parts["loss_gold"] = own * (len(labelled) / len(chosen))
        return {"loss": self.params.alpha * parts["kl"] + self.params.gold * parts["loss_gold"], **parts}


def batch_of(learner: "Student", chosen: Sequence[Encoded], view: View) -> Batch:
    """Some examples in one view, on the learner's device."""
    return collate(chosen, view, learner.tokens).to(learner.device)
