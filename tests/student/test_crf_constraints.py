"""The CRF where paths are impossible, its gradients by enumeration and by pytorch-crf, and compiled whole."""

import itertools
import shutil
from unittest import mock

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cotpd.student import decoding
from cotpd.student.crf import FORBIDDEN, LinearChainCRF
from cotpd.student.decoding import viterbi
from tests.student.test_crf import enumerate_all, mask_of, random_field

shapes = st.tuples(
    st.integers(2, 4),  # tags
    st.lists(st.integers(1, 5), min_size=1, max_size=3),  # lengths
    st.integers(0, 10_000),  # seed
)


def emissions_of(lengths: list[int], tags: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), tags, generator=generator, dtype=dtype)


def legal(path: tuple[int, ...], allowed: torch.Tensor) -> bool:
    return bool(allowed[-1, path[0]]) and all(allowed[i, j] for i, j in itertools.pairwise(path))


@settings(max_examples=60, deadline=None)
@given(shapes, st.data())
def test_impossible_paths_have_no_share_in_anything(shape, data):
    tags, lengths, seed = shape
    drawn = data.draw(st.lists(st.booleans(), min_size=(tags + 1) * tags, max_size=(tags + 1) * tags))
    allowed = torch.tensor(drawn).view(tags + 1, tags)
    field = random_field(tags, seed, allowed=allowed).requires_grad_(False)
    emissions, mask = emissions_of(lengths, tags, seed), mask_of(lengths)
    log_z, marginals = field.log_partition(emissions, mask), field.marginals(emissions, mask)
    best, several = field.viterbi(emissions, mask)[0], field.n_best(emissions, mask, 3)[0]
    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        left = {path: score for path, score in every.items() if legal(path, allowed)}
        assume(left)
        values = torch.stack(list(left.values()))
        torch.testing.assert_close(log_z[row], values.logsumexp(0), rtol=1e-9, atol=1e-9)
        ranked = sorted(left, key=lambda path: -left[path].item())
        assert tuple(best[row, :length].tolist()) == ranked[0]
        assert [tuple(one) for one in several[row, : len(ranked), :length].tolist()] == ranked[:3]
        p = dict(zip(left, values.softmax(0), strict=True))
        for t, k in itertools.product(range(length), range(tags)):
            wanted = float(sum(chance for path, chance in p.items() if path[t] == k))
            assert marginals.unary[row, t, k].item() == pytest.approx(wanted, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(shapes, st.booleans())
def test_gradients_of_the_likelihood_are_those_of_the_enumerated_one(shape, constrained):
    tags, lengths, seed = shape
    allowed = torch.ones(tags + 1, tags, dtype=torch.bool)
    allowed[0, 1] = not constrained
    field, mask = random_field(tags, seed, allowed=allowed), mask_of(lengths)
    emissions = emissions_of(lengths, tags, seed).requires_grad_()
    gold = torch.zeros(mask.shape, dtype=torch.long)
    sought = [emissions, *field.parameters()]
    found = torch.autograd.grad(field.nll(emissions, gold, mask).sum(), sought)
    total = emissions.new_zeros(())
    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        total = total + torch.stack(list(every.values())).logsumexp(0) - every[(0,) * length]
    wanted = torch.autograd.grad(total, sought, allow_unused=True)  # chains of one have no transition
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, torch.zeros_like(ours) if theirs is None else theirs)


@settings(max_examples=40, deadline=None)
@given(shapes)
def test_likelihood_gradients_and_best_paths_are_those_of_pytorch_crf(shape):
    torchcrf = pytest.importorskip("torchcrf")
    tags, lengths, seed = shape
    field, peer, mask = random_field(tags, seed), torchcrf.CRF(tags, batch_first=True).double(), mask_of(lengths)
    pairs = {"start": "start_transitions", "end": "end_transitions", "transitions": "transitions"}
    for own, other in pairs.items():
        getattr(peer, other).data.copy_(getattr(field, own).data)
    gold = torch.randint(0, tags, mask.shape, generator=torch.Generator().manual_seed(seed))
    ours = emissions_of(lengths, tags, seed).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    field.nll(ours, gold, mask).sum().backward()
    (-peer(theirs, gold, mask)).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    for own, other in pairs.items():
        found, wanted = getattr(field, own).grad, getattr(peer, other).grad
        torch.testing.assert_close(found, torch.zeros_like(found) if wanted is None else wanted)
    found = field.viterbi(ours.detach(), mask)[0].tolist()
    assert [row[:n] for row, n in zip(found, lengths, strict=True)] == peer.decode(theirs.detach(), mask)


@pytest.mark.parametrize("name", ["nll", "sequence_kl", "cross_entropy"])
def test_under_mixed_precision_losses_are_single_and_their_gradients_those_without_it(name):
    field, mask = random_field(5, 1).float(), mask_of([40, 7, 1])
    emissions = emissions_of([40, 7, 1], 5, 3, torch.float32).bfloat16()
    other = (emissions_of([40, 7, 1], 5, 4, torch.float32)).bfloat16()

    def loss(scores: torch.Tensor) -> torch.Tensor:
        if name == "nll":
            return field.nll(scores, torch.zeros(mask.shape, dtype=torch.long), mask)
        if name == "sequence_kl":
            return field.sequence_kl(other, scores, mask)
        return field.cross_entropy(field.belief(other, mask), scores, mask)

    plain = torch.autograd.grad(loss(emissions.float()).sum(), list(field.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(emissions)
        found = torch.autograd.grad(mixed.sum(), list(field.parameters()))
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 3000.0])  # the second is beyond what scaled float64 holds
def test_compiled_whole_it_says_the_same(scale):
    """fullgraph refuses a break in the graph, such as a look at a value."""
    torch._dynamo.reset()
    allowed = torch.ones(4, 3, dtype=torch.bool)
    allowed[0, 1] = False
    field, mask = random_field(3, 2, allowed=allowed), mask_of([6, 1, 3])
    p, q = (emissions_of([6, 1, 3], 3, seed) * scale for seed in (1, 2))
    q.requires_grad_()
    gold, weights = torch.zeros(mask.shape, dtype=torch.long), [q, *field.parameters()]
    calls = {
        "nll": lambda: field.nll(q, gold, mask),
        "kl": lambda: field.sequence_kl(p, q, mask, 2.0),
        "cross entropy": lambda: field.cross_entropy(field.belief(p, mask), q, mask),
    }
    for call in calls.values():
        whole = torch.compile(call, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(whole(), call())
        found, wanted = (torch.autograd.grad(one().sum(), weights) for one in (whole, call))
        torch.testing.assert_close(found, wanted)
    for call in (
        lambda: field.viterbi(p, mask),
        lambda: field.n_best(p, mask, 3),
        lambda: field.marginals(p, mask),
    ):
        torch.testing.assert_close(torch.compile(call, fullgraph=True, backend="aot_eager")(), call())


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="Inductor needs a C++ compiler")
def test_compiled_to_machine_code_it_says_the_same():
    torch._dynamo.reset()
    field, mask, emissions = random_field(3, 2), mask_of([4, 1]), emissions_of([4, 1], 3, 1).requires_grad_()
    gold, weights = torch.zeros(mask.shape, dtype=torch.long), [emissions, *field.parameters()]

    def both() -> tuple[torch.Tensor, torch.Tensor]:
        return field.nll(emissions, gold, mask), field.viterbi(emissions, mask)[0]

    (loss, tags), (wanted, path) = torch.compile(both, fullgraph=True)(), both()
    torch.testing.assert_close(loss, wanted)
    assert torch.equal(tags, path)
    found, gradients = (torch.autograd.grad(one.sum(), weights) for one in (loss, wanted))
    torch.testing.assert_close(found, gradients)


def test_a_forbidden_step_costs_more_than_any_real_score():
    field = LinearChainCRF(2, torch.tensor([[True, False], [True, True], [True, True]]))
    emissions = torch.tensor([[[100.0, 0.0], [0.0, 100.0]]])
    assert field.viterbi(emissions, mask_of([2]))[0].tolist() in ([[0, 0]], [[1, 1]])
    assert FORBIDDEN + 200 < 0


@pytest.mark.parametrize("small", [0, 2**15])
@settings(max_examples=40, deadline=None)
@given(shapes)
def test_every_way_of_searching_finds_the_same_path(small, shape):
    """That of GPUs, that of compiled graphs, and those of a CPU for few and for many sums a step."""
    tags, lengths, seed = shape
    field = random_field(tags, seed).requires_grad_(False)
    given = (emissions_of(lengths, tags, seed), *field.weights(), torch.tensor(lengths))
    by_torch, scores = decoding._viterbi(torch, *given)
    with mock.patch.object(torch.compiler, "is_compiling", return_value=True):
        compiled = viterbi(*given)
    with mock.patch.object(decoding, "_SMALL", small):
        found = viterbi(*given)
    for other in (by_torch.T, scores), compiled:
        assert torch.equal(found[0], other[0])
        torch.testing.assert_close(found[1], other[1])
