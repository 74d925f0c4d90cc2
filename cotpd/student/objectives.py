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


def batch_of(learner: "Student", chosen: Sequence[Encoded], view: View) -> Batch:
    """Some examples in one view, on the learner's device."""
    return collate(chosen, view, learner.tokens).to(learner.device)
