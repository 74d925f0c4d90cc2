"""The CRF against enumeration of every tag sequence, and against pytorch-crf."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cotpd.student import chain
from cotpd.student.chain import LogPartition, run_forward_backward
from cotpd.student.crf import FORBIDDEN, LinearChainCRF, SoftTargets
from tests.student.enumeration import build_mask, enumerate_all, make_random_field

cases = st.tuples(
    st.integers(1, 4),  # tags
    st.lists(st.integers(1, 5), min_size=1, max_size=4),  # lengths
    st.integers(0, 10_000),  # seed
    st.sampled_from([0.1, 1.0, 10.0, 400.0, 3000.0]),  # scale: the last two underflow float64 probabilities
)


def draw(case, allowed=None):
    tags, lengths, seed, scale = case
    field = make_random_field(tags, seed, min(scale, 10.0), allowed)
    emissions = torch.randn(len(lengths), max(lengths), tags, dtype=torch.float64) * scale
    return field, emissions, lengths, build_mask(lengths)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_partition_marginals_viterbi_and_n_best_agree_with_enumeration(case):
    field, emissions, lengths, mask = draw(case)
    field.requires_grad_(False)
    log_z, marginals = field.compute_log_partition(emissions, mask), field.compute_marginals(emissions, mask)
    tags, best = field.decode_viterbi(emissions, mask)
    several, scores = field.decode_n_best(emissions, mask, 3)
    at_path, next_tags = field.compute_path_probabilities(emissions, tags, mask)
    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        values = torch.stack(list(every.values()))
        torch.testing.assert_close(log_z[row], values.logsumexp(0), rtol=1e-9, atol=1e-9)
        p = dict(zip(every, values.softmax(0), strict=True))
        for t, k in itertools.product(range(length), range(field.end.numel())):
            expected = sum(v for path, v in p.items() if path[t] == k)
            assert marginals.unary[row, t, k].item() == pytest.approx(float(expected), abs=1e-7)
            on_path = k == tags[row, t]
            if on_path:
                assert at_path[row, t].item() == pytest.approx(float(expected), abs=1e-7)
            for j in range(field.end.numel()):
                pair = sum(v for path, v in p.items() if t + 1 < length and path[t : t + 2] == (k, j))
                if t + 1 < mask.shape[1]:
                    assert marginals.pairwise[row, t, k, j].item() == pytest.approx(float(pair), abs=1e-7)
                    if on_path and t + 1 < length:
                        assert next_tags[row, t, j].item() == pytest.approx(float(pair / expected), abs=1e-7)
        ranked = sorted(values.tolist(), reverse=True)
        assert best[row].item() == pytest.approx(ranked[0])
        assert every[tuple(tags[row, :length].tolist())].item() == pytest.approx(ranked[0])
        assert not tags[row, length:].any()
        for n, path in enumerate(several[row, :, :length].tolist()):
            if n < len(ranked):
                assert scores[row, n].item() == pytest.approx(ranked[n])
                assert every[tuple(path)].item() == pytest.approx(ranked[n])
            else:
                assert scores[row, n] == -torch.inf
        paths = [tuple(path) for path in several[row, : len(ranked), :length].tolist()]
        assert len(set(paths)) == len(paths)


@settings(max_examples=30, deadline=None)
@given(cases)
def test_what_stands_beyond_a_length_does_not_matter(case):
    field, emissions, _, mask = draw(case)
    spoilt = torch.where(mask.unsqueeze(-1), emissions, 1e6)
    torch.testing.assert_close(
        field.compute_log_partition(spoilt, mask), field.compute_log_partition(emissions, mask)
    )
    assert torch.equal(field.decode_viterbi(spoilt, mask)[0], field.decode_viterbi(emissions, mask)[0])
    torch.testing.assert_close(field.compute_sequence_kl(spoilt, spoilt, mask), torch.zeros(len(mask)).double())


@settings(max_examples=40, deadline=None)
@given(cases, st.integers(0, 3), st.sampled_from([1.0, 2.5]))
def test_sequence_kl_is_that_of_the_enumerated_distributions(case, seed, temperature):
    field, p, lengths, mask = draw(case)
    q = p + torch.randn(p.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    kl = field.compute_sequence_kl(p, q, mask, temperature)
    for row, length in enumerate(lengths):
        sides = [torch.stack(list(enumerate_all(field, e[row, :length]).values())) / temperature for e in (p, q)]
        log_p, log_q = (side.log_softmax(0) for side in sides)
        expected = (log_p.exp() * (log_p - log_q)).sum()
        assert kl[row].item() == pytest.approx(expected.item(), rel=1e-6, abs=1e-6 * (1 + p.abs().max().item()))


@settings(max_examples=30, deadline=None)
@given(cases, st.lists(st.integers(0, 9), min_size=1, max_size=3), st.sampled_from([1.0, 2.5]))
def test_cross_entropy_of_averaged_soft_targets_is_that_of_the_averaged_distributions(case, seeds, temperature):
    field, q, lengths, mask = draw(case)
    sides = [q + torch.randn(q.shape, dtype=q.dtype, generator=torch.Generator().manual_seed(n)) for n in seeds]
    targets = [field.compute_soft_targets(side, mask, temperature) for side in sides]
    mean = SoftTargets(*(torch.stack(values).mean(0) for values in zip(*targets, strict=True)))
    cross_entropy = field.compute_cross_entropy(mean, q, mask, temperature)
    apart = torch.stack([field.compute_sequence_kl(side, q, mask, temperature) for side in sides]).mean(0)
    close = {"rtol": 1e-6, "atol": 1e-6 * (1 + q.abs().max().item())}
    torch.testing.assert_close(cross_entropy - mean.entropy, apart, **close)
    for row, length in enumerate(lengths):
        log_p, log_q = (
            [torch.stack(list(enumerate_all(field, e[row, :length]).values())) / temperature for e in every]
            for every in (sides, [q])
        )
        average = torch.stack([logits.softmax(0) for logits in log_p]).mean(0)
        expected = -(average * log_q[0].log_softmax(0)).sum()
        torch.testing.assert_close(cross_entropy[row], expected, **close)


def test_a_students_gradient_from_soft_targets_is_that_of_the_divergence():
    field, p, _, mask = draw((4, [5, 1, 3], 2, 1.0))
    q = torch.randn_like(p).requires_grad_()
    weights = [q, *field.parameters()]
    expected = torch.autograd.grad(field.compute_sequence_kl(p, q, mask, 2.0).sum(), weights)
    gradients = torch.autograd.grad(
        field.compute_cross_entropy(field.compute_soft_targets(p, mask, 2.0), q, mask, 2.0).sum(), weights
    )
    torch.testing.assert_close(gradients, expected)


@pytest.mark.parametrize("logs", [False, True])
def test_gradients_of_partition_and_divergences(logs, monkeypatch):
    if logs:
        monkeypatch.setattr(chain, "_run_scaled", lambda *a: chain._run_logarithmic(*a))
    field, p, lengths, mask = draw((3, [4, 1, 2], 5, 1.0))
    q = torch.randn_like(p).requires_grad_()
    p = p.requires_grad_()
    weights = list(field.parameters())
    sizes = torch.tensor(lengths)

    def compute_partition(emissions, start, end, transitions):
        return LogPartition.apply(emissions, start, transitions, end, sizes)

    assert torch.autograd.gradcheck(compute_partition, (p, *weights))
    assert torch.autograd.gradcheck(lambda q: field.compute_sequence_kl(p, q, mask, 2.0), (q,))
    assert torch.autograd.gradcheck(lambda q: field.compute_token_kl(p, q, mask, 2.0), (q,))
    field.compute_sequence_kl(p, q, mask).sum().backward()
    assert p.grad is None


def test_transitions_learn_from_the_students_side_of_the_kl_only():
    field, p, _, mask = draw((3, [4, 2], 1, 1.0))
    q = torch.randn_like(p)
    field.compute_sequence_kl(p, q, mask).sum().backward()
    expected = field.compute_marginals(q, mask).pairwise.sum((0, 1)) - field.compute_marginals(
        p, mask
    ).pairwise.sum((0, 1))
    torch.testing.assert_close(field.transitions.grad, expected)


def test_token_kl_is_between_the_marginals_of_the_chain():
    field, p, _, mask = draw((3, [4, 2], 1, 1.0))
    q = torch.randn_like(p)
    a, b = field.compute_marginals(p, mask).unary, field.compute_marginals(q, mask).unary
    expected = (a * (a.log() - b.log())).nan_to_num(0.0).sum((1, 2))
    torch.testing.assert_close(field.compute_token_kl(p, q, mask), expected)


def test_score_is_the_definition_and_nll_normalises_it():
    field, emissions, lengths, mask = draw((3, [4, 1, 3], 9, 1.0))
    tags = torch.randint(0, 3, mask.shape)
    scores = field.score(emissions, tags, mask)
    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        assert scores[row].item() == pytest.approx(every[tuple(tags[row, :length].tolist())].item())
        nll = torch.stack(list(every.values())).logsumexp(0) - scores[row]
        assert field.compute_nll(emissions, tags, mask)[row].item() == pytest.approx(nll.item())


def test_agrees_with_pytorch_crf_gradients_included():
    torchcrf = pytest.importorskip("torchcrf")
    lengths = [7, 1, 4, 6]
    mask, tags = build_mask(lengths), torch.randint(0, 5, (4, 7))
    field = make_random_field(5, 2).float()
    peer = torchcrf.CRF(5, batch_first=True)
    peer.start_transitions.data, peer.end_transitions.data = field.start.data.clone(), field.end.data.clone()
    peer.transitions.data = field.transitions.data.clone()
    emissions = torch.randn(4, 7, 5, requires_grad=True)
    peer_emissions = emissions.detach().clone().requires_grad_()
    loss, peer_loss = field.compute_nll(emissions, tags, mask).sum(), -peer(peer_emissions, tags, mask)
    torch.testing.assert_close(loss, peer_loss)
    loss.backward()
    peer_loss.backward()
    torch.testing.assert_close(emissions.grad, peer_emissions.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(field.transitions.grad, peer.transitions.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(field.end.grad, peer.end_transitions.grad, atol=1e-5, rtol=1e-4)
    paths = [
        row[:n].tolist() for row, n in zip(field.decode_viterbi(emissions.detach(), mask)[0], lengths, strict=True)
    ]
    assert paths == peer.decode(emissions.detach(), mask)


def test_equal_scores_still_give_one_consistent_path():
    field = LinearChainCRF(3)
    mask = build_mask([6, 5, 1])
    tags, score = field.decode_viterbi(torch.zeros(3, 6, 3), mask)
    assert torch.equal(field.score(torch.zeros(3, 6, 3), tags, mask), score)


def test_forbidden_transitions_are_never_decoded_and_never_trained():
    allowed = torch.ones(4, 3, dtype=torch.bool)
    allowed[0, 2] = allowed[3, 1] = False  # 2 never follows 0, 1 never begins
    field = make_random_field(3, 4, 1.0, allowed).float()
    emissions = torch.zeros(2, 6, 3)
    emissions[:, ::2, 0] = emissions[:, 1::2, 2] = emissions[:, 0, 1] = 50.0
    mask = build_mask([6, 3])
    paths, _ = field.decode_n_best(emissions, mask, 4)
    for row, length in enumerate([6, 3]):
        for path in [field.decode_viterbi(emissions, mask)[0][row], *paths[row]]:
            steps = list(itertools.pairwise(path[:length].tolist()))
            assert (0, 2) not in steps
            assert path[0] != 1
    assert field.compute_marginals(emissions, mask).unary[:, 0, 1].max() < 1e-30
    field.compute_nll(emissions, field.decode_viterbi(emissions, mask)[0], mask).sum().backward()
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


def test_messages_beyond_float64_are_taken_up_in_log_space(monkeypatch):
    called = []
    real = chain._run_logarithmic
    monkeypatch.setattr(chain, "_run_logarithmic", lambda *a: called.append(1) or real(*a))
    _, emissions, lengths, _ = draw((2, [4], 0, 1.0))
    zero = torch.zeros(2).double()
    sticky = torch.tensor([[0.0, FORBIDDEN], [FORBIDDEN, 0.0]]).double()
    run_forward_backward(emissions, zero, sticky, zero, torch.tensor(lengths))
    assert not called
    alternating = torch.tensor([[[0.0, 900.0], [900.0, 0.0], [0.0, 900.0], [900.0, 0.0]]]).double()
    posterior = run_forward_backward(alternating, zero, sticky, zero, torch.tensor([4]))
    assert called
    assert posterior.log_z.item() == pytest.approx(1800 + torch.log(torch.tensor(2.0)).item())
