"""The KL of tokens from a teacher's soft targets: against enumeration, and against the KL of two views."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cotpd.student.crf import SoftTargets
from cotpd.student.objectives import FrozenDistillation
from cotpd.student.params import DistilParams
from cotpd.student.targets import Targets
from tests.builders import build_student
from tests.student.enumeration import draw, enumerate_all

cases = st.tuples(
    st.integers(1, 4),  # tags
    st.lists(st.integers(1, 5), min_size=1, max_size=4),  # lengths
    st.integers(0, 10_000),  # seed
    st.sampled_from([0.1, 1.0, 10.0, 400.0]),  # scale: the last one underflows float64 probabilities
)


def enumerate_log_marginals(field, emissions, temperature):
    """Return the logarithm of each tag's probability at each position, (T, K), from those of whole paths."""
    every = enumerate_all(field, emissions)
    paths, scores = torch.tensor(list(every)), torch.stack(list(every.values())) / temperature
    log_p = scores.log_softmax(0)
    columns = [torch.where(paths == tag, log_p[:, None], -torch.inf) for tag in range(emissions.shape[1])]
    return torch.stack(columns, 2).logsumexp(0)


def compute_mean(targets):
    return SoftTargets(*(torch.stack(values).mean(0) for values in zip(*targets, strict=True)))


@settings(max_examples=30, deadline=None)
@given(cases, st.lists(st.integers(0, 9), min_size=1, max_size=3), st.sampled_from([1.0, 2.5]))
def test_it_is_that_of_the_enumerated_marginals(case, seeds, temperature):
    field, q, lengths, mask = draw(case)
    sides = [q + torch.randn(q.shape, dtype=q.dtype, generator=torch.Generator().manual_seed(n)) for n in seeds]
    targets = compute_mean([field.compute_soft_targets(side, mask, temperature) for side in sides])

    kl = field.compute_token_distillation(targets, q, mask, temperature)

    for row, length in enumerate(lengths):
        teachers = [enumerate_log_marginals(field, side[row, :length], temperature).exp() for side in sides]
        p = torch.stack(teachers).mean(0)
        log_q = enumerate_log_marginals(field, q[row, :length], temperature)
        expected = (torch.xlogy(p, p) - p * log_q).sum()
        assert kl[row].item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-6 * (1 + q.abs().max().item()))


def test_value_and_gradient_are_those_of_the_kl_between_two_views():
    field, p, _, mask = draw((4, [5, 1, 3], 2, 1.0))
    q = torch.randn_like(p).requires_grad_()
    weights = [q, *field.parameters()]
    expected = field.compute_token_kl(p, q, mask, 2.0)

    kl = field.compute_token_distillation(field.compute_soft_targets(p, mask, 2.0), q, mask, 2.0)

    torch.testing.assert_close(kl, expected)
    gradients = torch.autograd.grad(kl.sum(), weights)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected.sum(), weights))


def test_beyond_a_length_nothing_counts():
    field, q, _, mask = draw((3, [4, 2], 1, 1.0))
    targets = field.compute_soft_targets(torch.randn_like(q), mask)
    spoilt = torch.where(mask.unsqueeze(-1), q, 1e6)

    torch.testing.assert_close(
        field.compute_token_distillation(targets, spoilt, mask), field.compute_token_distillation(targets, q, mask)
    )


@pytest.mark.parametrize("kl", ["sequence", "token"])
def test_the_students_loss_is_the_one_that_the_parameter_names(encoder, ner_examples, kl):
    student = build_student(encoder, prompt_length=0)
    head, learnt = student.model.head, student.example_encoder.encode(ner_examples)
    rows = {}
    for example in ner_examples:
        emissions, mask = (
            torch.randn(1, len(example.tokens), 7),
            torch.ones(1, len(example.tokens), dtype=torch.bool),
        )
        targets = head.crf.compute_soft_targets(emissions, mask)
        rows[example.id] = SoftTargets(*(value[0] for value in targets))
    objective = FrozenDistillation("text", Targets(student.labels, rows), frozenset(), DistilParams(kl=kl))

    parts = objective.compute_losses(student, learnt)

    by_sequence = FrozenDistillation("text", objective.targets, frozenset(), DistilParams(kl="sequence"))
    sequence_kl = by_sequence.compute_losses(student, learnt)["kl"]
    assert (parts["kl"] == sequence_kl) == (kl == "sequence")
    assert parts["kl"] > 0
