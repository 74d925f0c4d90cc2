"""The CRF at its limits: forbidden transitions, extreme scores, half precision, messages beyond float64."""

import itertools

import pytest
import torch

from cotpd.student import chain
from cotpd.student.chain import run_forward_backward
from cotpd.student.crf import FORBIDDEN, LinearChainCRF
from tests.student.enumeration import build_mask, draw, make_random_field


@pytest.fixture
def forbidding():
    """A field in which tag 2 never follows 0 and tag 1 never begins, emissions for just those, and a mask."""
    allowed = torch.ones(4, 3, dtype=torch.bool)
    allowed[0, 2] = allowed[3, 1] = False
    emissions = torch.zeros(2, 6, 3)
    emissions[:, ::2, 0] = emissions[:, 1::2, 2] = emissions[:, 0, 1] = 50.0
    return make_random_field(3, 4, 1.0, allowed).float(), emissions, build_mask([6, 3])


def test_forbidden_transitions_are_never_decoded(forbidding):
    field, emissions, mask = forbidding

    best, several = field.decode_viterbi(emissions, mask)[0], field.decode_n_best(emissions, mask, 4)[0]

    for row, length in enumerate(mask.sum(1)):
        for path in (best[row], *several[row]):
            steps = list(itertools.pairwise(path[:length].tolist()))
            assert (0, 2) not in steps
            assert path[0] != 1


def test_a_forbidden_tag_has_no_probability(forbidding):
    field, emissions, mask = forbidding

    marginals = field.compute_marginals(emissions, mask)

    assert marginals.unary[:, 0, 1].max() < 1e-30


def test_forbidden_transitions_are_never_trained(forbidding):
    field, emissions, mask = forbidding
    tags = field.decode_viterbi(emissions, mask)[0]

    field.compute_nll(emissions, tags, mask).sum().backward()

    assert field.transitions.grad[0, 2] == 0
    assert field.start.grad[1] == 0


def test_all_is_finite_when_every_path_is_forbidden_or_scores_are_extreme():
    allowed = torch.zeros(3, 2, dtype=torch.bool)
    field = LinearChainCRF(2, allowed)
    emissions = torch.tensor([[[0.0, 5000.0], [5000.0, 0.0], [0.0, -5000.0]]], requires_grad=True)
    mask = build_mask([3])

    loss = field.compute_nll(emissions, torch.tensor([[0, 1, 0]]), mask)
    loss.sum().backward()

    assert loss.isfinite().all()
    assert emissions.grad.isfinite().all()
    assert field.compute_log_partition(emissions, mask).item() == pytest.approx(10_000 + 3 * FORBIDDEN, rel=1e-3)


def test_half_precision_emissions_are_computed_in_single():
    field, emissions, _, mask = draw((3, [30, 20], 3, 5.0))
    field = field.float()
    exact = field.compute_log_partition(emissions.bfloat16().float(), mask)

    with torch.autocast("cpu", torch.bfloat16):
        log_z = field.compute_log_partition(emissions.bfloat16(), mask)

    assert log_z.dtype == torch.float32
    assert torch.equal(log_z, exact)


@pytest.fixture
def log_calls(monkeypatch):
    """A list that grows whenever a pass is repeated in log space."""
    calls = []
    run = chain._run_logarithmic
    monkeypatch.setattr(chain, "_run_logarithmic", lambda *a: calls.append(1) or run(*a))
    return calls


def run_sticky(emissions):
    """Run forward-backward on one chain whose two tags never follow one another."""
    zero = torch.zeros(2).double()
    sticky = torch.tensor([[0.0, FORBIDDEN], [FORBIDDEN, 0.0]]).double()
    return run_forward_backward(emissions, zero, sticky, zero, torch.tensor([emissions.shape[1]]))


def test_messages_within_float64_are_not_computed_again(log_calls):
    _, emissions, _, _ = draw((2, [4], 0, 1.0))

    run_sticky(emissions)

    assert not log_calls


def test_messages_beyond_float64_are_computed_again_in_log_space(log_calls):
    alternating = torch.tensor([[[0.0, 900.0], [900.0, 0.0], [0.0, 900.0], [900.0, 0.0]]]).double()

    posterior = run_sticky(alternating)

    assert log_calls
    assert posterior.log_z.item() == pytest.approx(1800 + torch.log(torch.tensor(2.0)).item())
