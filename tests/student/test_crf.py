"""The CRF against enumeration of every tag sequence, and against pytorch-crf."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cotpd.student import chain
from cotpd.student.chain import LogPartition
from cotpd.student.crf import LinearChainCRF, SoftTargets
from tests.student.enumeration import build_mask, draw, enumerate_all, make_random_field

cases = st.tuples(
    st.integers(1, 4),  # tags
    st.lists(st.integers(1, 5), min_size=1, max_size=4),  # lengths
    st.integers(0, 10_000),  # seed
    st.sampled_from([0.1, 1.0, 10.0, 400.0, 3000.0]),  # scale: the last two underflow float64 probabilities
)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_partition_and_marginals_agree_with_enumeration(case):
    field, emissions, lengths, mask = draw(case)
    field.requires_grad_(False)

    log_z, marginals = field.compute_log_partition(emissions, mask), field.compute_marginals(emissions, mask)

    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        values = torch.stack(list(every.values()))
        p = dict(zip(every, values.softmax(0).tolist(), strict=True))
        unary, pairwise = sum_probabilities(p, mask.shape[1], field.end.numel())
        torch.testing.assert_close(log_z[row], values.logsumexp(0), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(marginals.unary[row], unary, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(marginals.pairwise[row], pairwise, rtol=1e-6, atol=1e-7)


def sum_probabilities(p, positions, tags):
    """Return the probability of each tag (T, K) and of each adjacent pair (T - 1, K, K), from those of whole paths."""
    unary = torch.zeros(positions, tags, dtype=torch.float64)
    pairwise = torch.zeros(positions - 1, tags, tags, dtype=torch.float64)
    for path, probability in p.items():
        for position, tag in enumerate(path):
            unary[position, tag] += probability
        for position, (tag, next_tag) in enumerate(itertools.pairwise(path)):
            pairwise[position, tag, next_tag] += probability
    return unary, pairwise


@settings(max_examples=60, deadline=None)
@given(cases)
def test_path_probabilities_agree_with_enumeration(case):
    field, emissions, lengths, mask = draw(case)
    field.requires_grad_(False)
    tags = field.decode_viterbi(emissions, mask)[0]

    at_path, next_tags = field.compute_path_probabilities(emissions, tags, mask)

    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        chances = torch.stack(list(every.values())).softmax(0).tolist()
        p = dict(zip(every, chances, strict=True))
        unary, pairwise = sum_probabilities(p, length, field.end.numel())
        path, positions = tags[row, :length], torch.arange(length)
        expected = unary[positions, path]
        torch.testing.assert_close(at_path[row, :length], expected, rtol=1e-6, atol=1e-7)
        given_path = pairwise[positions[:-1], path[:-1]] / expected[:-1, None]
        torch.testing.assert_close(next_tags[row, : length - 1], given_path, rtol=1e-6, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_the_best_path_is_the_best_of_the_enumerated_ones(case):
    field, emissions, lengths, mask = draw(case)
    field.requires_grad_(False)

    tags, best = field.decode_viterbi(emissions, mask)

    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        largest = max(score.item() for score in every.values())
        assert best[row].item() == pytest.approx(largest)
        assert every[tuple(tags[row, :length].tolist())].item() == pytest.approx(largest)
        assert not tags[row, length:].any()


@settings(max_examples=60, deadline=None)
@given(cases)
def test_the_n_best_paths_are_the_best_of_the_enumerated_ones_and_no_path_comes_twice(case):
    field, emissions, lengths, mask = draw(case)
    field.requires_grad_(False)

    paths, scores = field.decode_n_best(emissions, mask, 3)

    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        ranked = sorted((score.item() for score in every.values()), reverse=True)[:3]
        best = [tuple(path) for path in paths[row, : len(ranked), :length].tolist()]
        assert scores[row, : len(ranked)].tolist() == pytest.approx(ranked)
        assert [every[path].item() for path in best] == pytest.approx(ranked)
        assert (scores[row, len(ranked) :] == -torch.inf).all()
        assert len(set(best)) == len(best)


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

    counts_p, counts_q = (field.compute_marginals(side, mask).pairwise.sum((0, 1)) for side in (p, q))
    expected = counts_q - counts_p
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


@pytest.fixture
def peers():
    """A field and pytorch-crf's with the same weights, emissions (4, 7, 5) for both, and a mask."""
    torchcrf = pytest.importorskip("torchcrf")
    field = make_random_field(5, 2).float()
    peer = torchcrf.CRF(5, batch_first=True)
    peer.start_transitions.data, peer.end_transitions.data = field.start.data.clone(), field.end.data.clone()
    peer.transitions.data = field.transitions.data.clone()
    return field, peer, torch.randn(4, 7, 5), build_mask([7, 1, 4, 6])


def test_loss_and_gradients_agree_with_pytorch_crf(peers):
    field, peer, emissions, mask = peers
    tags = torch.randint(0, 5, (4, 7))
    field_emissions, peer_emissions = emissions.clone().requires_grad_(), emissions.clone().requires_grad_()

    loss, peer_loss = field.compute_nll(field_emissions, tags, mask).sum(), -peer(peer_emissions, tags, mask)
    loss.backward()
    peer_loss.backward()

    close = {"atol": 1e-5, "rtol": 1e-4}
    torch.testing.assert_close(loss, peer_loss)
    torch.testing.assert_close(field_emissions.grad, peer_emissions.grad, **close)
    torch.testing.assert_close(field.transitions.grad, peer.transitions.grad, **close)
    torch.testing.assert_close(field.end.grad, peer.end_transitions.grad, **close)


def test_best_paths_agree_with_pytorch_crf(peers):
    field, peer, emissions, mask = peers

    tags = field.decode_viterbi(emissions, mask)[0]

    assert [row[inside].tolist() for row, inside in zip(tags, mask, strict=True)] == peer.decode(emissions, mask)


def test_equal_scores_still_give_one_consistent_path():
    field = LinearChainCRF(3)
    mask = build_mask([6, 5, 1])

    tags, score = field.decode_viterbi(torch.zeros(3, 6, 3), mask)

    assert torch.equal(field.score(torch.zeros(3, 6, 3), tags, mask), score)


@settings(max_examples=30, deadline=None)
@given(cases, st.sampled_from([0.5, 1.0, 3.0]))
def test_the_log_probability_of_a_sequence_agrees_with_enumeration(case, temperature):
    field, emissions, lengths, mask = draw(case)
    field.requires_grad_(False)
    tags = field.decode_viterbi(emissions, mask)[0]

    values = field.compute_log_probabilities(emissions, tags, mask, temperature)

    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        total = (torch.stack(list(every.values())) / temperature).logsumexp(0)
        expected = every[tuple(tags[row, :length].tolist())] / temperature - total
        torch.testing.assert_close(values[row], expected, rtol=1e-9, atol=1e-9)
