"""What is minimised: the sum of its parts, a mean over the examples, and what learns from it."""

import pytest
import torch

from cotpd.student.objectives import FineTuning, JointDistillation
from cotpd.student.params import DistilParams
from tests.student.tiny_runs import build_learner


@pytest.fixture
def joint_parts(small, ner_examples):
    """A learner, and the parts of its joint loss with alpha 0.3."""
    objective = JointDistillation(DistilParams(alpha=0.3))
    learner = build_learner(small, objective)
    return learner, objective.compute_losses(learner, learner.example_encoder.encode(ner_examples))


def test_the_joint_loss_is_the_weighted_sum_of_its_parts(joint_parts):
    _, parts = joint_parts

    total = parts["loss_knowledge"] + parts["loss_prompt"] + 0.3 * parts["kl"]
    torch.testing.assert_close(parts["loss"], total)
    assert parts["kl"] > 0


def test_the_joint_loss_reaches_every_weight(joint_parts):
    learner, parts = joint_parts

    parts["loss"].backward()

    without_gradient = [name for name, weight in learner.model.named_parameters() if weight.grad is None]
    assert all("token_type" in name for name in without_gradient), without_gradient


def test_every_family_learns_in_mixed_precision_what_it_does_without(any_encoder, small, ner_examples):
    objective, losses = JointDistillation(DistilParams()), []

    for mixed in (False, True):
        learner = build_learner(small.model_copy(update={"encoder": any_encoder}), objective)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            losses.append(objective.compute_losses(learner, learner.example_encoder.encode(ner_examples))["loss"])
        losses[-1].backward()
        assert all(w.grad.isfinite().all() for w in learner.model.parameters() if w.grad is not None)
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(losses[1], losses[0], rtol=0.02, atol=0)


@pytest.mark.parametrize("task", ["ner", "re"])
@pytest.mark.parametrize(
    "objective", [FineTuning(), FineTuning("knowledge"), JointDistillation(DistilParams())], ids=str
)
def test_a_loss_is_a_mean_over_the_examples(objective, task, small, ner_examples, re_examples):
    learner = build_learner(small, objective, task)
    encoded = learner.example_encoder.encode(ner_examples if task == "ner" else re_examples)

    with torch.no_grad():
        whole = objective.compute_losses(learner, encoded)
        first, second = (
            objective.compute_losses(learner, encoded[:5]),
            objective.compute_losses(learner, encoded[5:]),
        )

    for name, value in whole.items():
        weighted = (5 * first[name] + (len(encoded) - 5) * second[name]) / len(encoded)
        torch.testing.assert_close(weighted, value, atol=1e-4, rtol=1e-4)


def test_markers_are_embedded_by_the_model_and_learn(small, re_examples):
    objective = FineTuning()
    learner = build_learner(small, objective, "re")

    objective.compute_losses(learner, learner.example_encoder.encode(re_examples))["loss"].backward()

    assert (learner.model.markers.grad.abs().sum(1) > 0).all()
