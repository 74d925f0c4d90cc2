"""The label of a whole post: its head against plain sums, and a student that reads posts of any length."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from cotpd.student import Student
from cotpd.student.decoders import PostDecoder
from cotpd.student.examples import build_examples
from cotpd.student.heads import PostHead
from cotpd.student.labels import LabelSet
from cotpd.student.params import DistilParams
from cotpd.student.tasks import find_task
from tests.builders import build_post
from tests.trained_students import TEXT

LABELS = LabelSet.build("sentiment", ("positive", "negative", "neutral"))
LENGTHS = (3, 1, 5)


def make_scores(seed: int = 0) -> torch.Tensor:
    return torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(seed)) * 3


def make_mask() -> torch.Tensor:
    return torch.arange(5) < torch.tensor(LENGTHS)[:, None]


def compute_probabilities(scores: torch.Tensor, temperature: float = 1.0) -> list[list[float]]:
    """Return each post's softmax of the mean over its words, one post after the other and without a mask."""
    rows = []
    for words, length in zip(scores.tolist(), LENGTHS, strict=True):
        weights = [math.exp(sum(column) / length / temperature) for column in zip(*words[:length], strict=True)]
        rows.append([weight / sum(weights) for weight in weights])
    return rows


def compute_kl(left: list[list[float]], right: list[list[float]]) -> float:
    """Return the mean KL of rows of probabilities."""
    total = 0.0
    for p_row, q_row in zip(left, right, strict=True):
        total += sum(p * math.log(p / q) for p, q in zip(p_row, q_row, strict=True))
    return total / len(left)


def test_the_loss_is_the_mean_negative_log_probability_of_the_gold_labels() -> None:
    head, targets = PostHead(4, LABELS, 0.0), torch.tensor([[2], [0], [1]])

    loss = head.compute_loss(make_scores(), targets, make_mask())

    gold = [row[target] for row, target in zip(compute_probabilities(make_scores()), (2, 0, 1), strict=True)]
    assert loss.item() == pytest.approx(-sum(map(math.log, gold)) / 3, abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_both_ways_of_distilling_give_the_kl_between_the_two_softmaxes(temperature: float) -> None:
    head, mask = PostHead(4, LABELS, 0.0), make_mask()
    knowledge, prompt = make_scores(1), make_scores(2)

    joint = head.compute_kl(knowledge, prompt, mask, DistilParams(temperature=temperature))
    frozen = head.compute_distillation_loss(
        head.compute_soft_targets(knowledge, mask, temperature),
        prompt,
        mask,
        DistilParams(temperature=temperature),
    )

    sides = (compute_probabilities(scores, temperature) for scores in (knowledge, prompt))
    expected = compute_kl(*sides) * temperature**2
    assert [joint.item(), frozen.item()] == pytest.approx([expected, expected], abs=1e-5)


def test_no_gradient_reaches_the_knowledge_side_or_the_padding() -> None:
    knowledge, prompt = make_scores(1).requires_grad_(), make_scores(2).requires_grad_()

    PostHead(4, LABELS, 0.0).compute_kl(knowledge, prompt, make_mask(), DistilParams()).backward()

    assert knowledge.grad is None
    assert prompt.grad is not None
    assert prompt.grad[~make_mask()].abs().max() == 0
    assert prompt.grad[make_mask()].abs().min() > 0


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_torch_and_numpy_decode_the_most_probable_label(temperature: float) -> None:
    head, scores, mask = PostHead(4, LABELS, 0.0), make_scores(), make_mask()

    decoded = head.decode(scores, mask, temperature)
    exported = PostDecoder(LABELS).decode(scores.numpy(), mask.numpy(), temperature)

    expected = [
        (max(row), LABELS.names[int(np.argmax(row))]) for row in compute_probabilities(scores, temperature)
    ]
    assert [(row[0].score, row[0].label) for row in decoded] == [
        (pytest.approx(p, abs=1e-6), n) for p, n in expected
    ]
    assert [row[0].label for row in exported] == [row[0].label for row in decoded]
    assert [row[0].score for row in exported] == pytest.approx([row[0].score for row in decoded], abs=1e-6)


def test_a_label_named_none_counts_like_any_other() -> None:
    task = find_task("sentiment")
    examples = build_examples(
        [build_post("a", id="1", label="None"), build_post("b", id="2", label="x")], task.name, {}, {}
    )
    predicted = PostDecoder(LabelSet.build("sentiment", ("None", "x"))).decode(
        np.array([[[2.0, 0.0]], [[2.0, 0.0]]], np.float32), np.ones((2, 1), bool)
    )

    rows = [
        task.build_prediction(example, labels, "test", "student")
        for example, labels in zip(examples, predicted, strict=True)
    ]
    scores = task.score(rows)

    assert (scores.accuracy, scores.f1, scores.precision, scores.recall) == (0.5, 0.5, 0.5, 0.5)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert scores.per_type["None"].recall == 1.0


def test_a_student_labels_posts_of_any_length_and_none_without_a_word(students: dict[str, Path]) -> None:
    student = Student.from_pretrained(students["sentiment"], "cpu")

    labels = list(student.predict_labels([TEXT, "  ", " ".join([TEXT] * 60)], batch_size=2))

    assert labels[1] is None
    assert [labels[0].label, labels[2].label] == ["neutral", "neutral"]
    assert labels[0].score > 0.9
