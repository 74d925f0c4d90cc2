"""The CRF where paths are impossible, its gradients by enumeration and by pytorch-crf, and compiled whole."""

import itertools
import shutil
from unittest import mock

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cotpd.student import viterbi
from cotpd.student.crf import FORBIDDEN, LinearChainCRF
from cotpd.student.decoding import decode_viterbi
from cotpd.student.viterbi import search_both_ends
from tests.student.enumeration import build_mask, enumerate_all, make_random_field

shapes = st.tuples(
    st.integers(2, 4),  # tags
    st.lists(st.integers(1, 5), min_size=1, max_size=3),  # lengths
    st.integers(0, 10_000),  # seed
)


def draw_emissions(lengths: list[int], tags: int, seed: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(lengths), max(lengths), tags, generator=generator, dtype=dtype)


def list_legal(path: tuple[int, ...], allowed: torch.Tensor) -> bool:
    return bool(allowed[-1, path[0]]) and all(allowed[i, j] for i, j in itertools.pairwise(path))


@settings(max_examples=60, deadline=None)
@given(shapes, st.data())
def test_impossible_paths_have_no_share_in_anything(shape, data):
    tags, lengths, seed = shape
    drawn = data.draw(st.lists(st.booleans(), min_size=(tags + 1) * tags, max_size=(tags + 1) * tags))
    allowed = torch.tensor(drawn).view(tags + 1, tags)
    field = make_random_field(tags, seed, allowed=allowed).requires_grad_(False)
    emissions, mask = draw_emissions(lengths, tags, seed), build_mask(lengths)
    log_z, marginals = field.compute_log_partition(emissions, mask), field.compute_marginals(emissions, mask)

    best, several = field.decode_viterbi(emissions, mask)[0], field.decode_n_best(emissions, mask, 3)[0]

    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        left = {path: score for path, score in every.items() if list_legal(path, allowed)}
        assume(left)
        values = torch.stack(list(left.values()))
        torch.testing.assert_close(log_z[row], values.logsumexp(0), rtol=1e-9, atol=1e-9)
        ranked = sorted(left, key=lambda path: -left[path].item())
        assert tuple(best[row, :length].tolist()) == ranked[0]
        assert [tuple(path) for path in several[row, : len(ranked), :length].tolist()] == ranked[:3]
        p = dict(zip(left, values.softmax(0), strict=True))
        for t, k in itertools.product(range(length), range(tags)):
            expected = float(sum(chance for path, chance in p.items() if path[t] == k))
            assert marginals.unary[row, t, k].item() == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(shapes, st.booleans())
def test_gradients_of_the_likelihood_are_those_of_the_enumerated_one(shape, constrained):
    tags, lengths, seed = shape
    allowed = torch.ones(tags + 1, tags, dtype=torch.bool)
    allowed[0, 1] = not constrained
    field, mask = make_random_field(tags, seed, allowed=allowed), build_mask(lengths)
    emissions = draw_emissions(lengths, tags, seed).requires_grad_()
    gold = torch.zeros(mask.shape, dtype=torch.long)
    sought = [emissions, *field.parameters()]

    gradients = torch.autograd.grad(field.compute_nll(emissions, gold, mask).sum(), sought)

    total = emissions.new_zeros(())
    for row, length in enumerate(lengths):
        every = enumerate_all(field, emissions[row, :length])
        total = total + torch.stack(list(every.values())).logsumexp(0) - every[(0,) * length]
    expected = torch.autograd.grad(total, sought, allow_unused=True)  # chains of one have no transition
    for gradient, exact in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, torch.zeros_like(gradient) if exact is None else exact)


@settings(max_examples=40, deadline=None)
@given(shapes)
def test_likelihood_gradients_and_best_paths_are_those_of_pytorch_crf(shape):
    torchcrf = pytest.importorskip("torchcrf")
    tags, lengths, seed = shape
    field, peer, mask = (
        make_random_field(tags, seed),
        torchcrf.CRF(tags, batch_first=True).double(),
        build_mask(lengths),
    )
    pairs = {"start": "start_transitions", "end": "end_transitions", "transitions": "transitions"}
    for name, peer_name in pairs.items():
        getattr(peer, peer_name).data.copy_(getattr(field, name).data)
    gold = torch.randint(0, tags, mask.shape, generator=torch.Generator().manual_seed(seed))
    emissions = draw_emissions(lengths, tags, seed).requires_grad_()
    peer_emissions = emissions.detach().clone().requires_grad_()

    field.compute_nll(emissions, gold, mask).sum().backward()

    (-peer(peer_emissions, gold, mask)).backward()
    torch.testing.assert_close(emissions.grad, peer_emissions.grad)
    for name, peer_name in pairs.items():
        actual, expected = getattr(field, name).grad, getattr(peer, peer_name).grad
        torch.testing.assert_close(actual, torch.zeros_like(actual) if expected is None else expected)

    actual = field.decode_viterbi(emissions.detach(), mask)[0].tolist()

    assert [row[:n] for row, n in zip(actual, lengths, strict=True)] == peer.decode(peer_emissions.detach(), mask)


@pytest.mark.parametrize("name", ["nll", "sequence_kl", "cross_entropy"])
def test_under_mixed_precision_losses_are_single_and_their_gradients_those_without_it(name):
    field, mask = make_random_field(5, 1).float(), build_mask([40, 7, 1])
    emissions = draw_emissions([40, 7, 1], 5, 3, torch.float32).bfloat16()
    second = (draw_emissions([40, 7, 1], 5, 4, torch.float32)).bfloat16()

    def compute_loss(scores: torch.Tensor) -> torch.Tensor:
        if name == "nll":
            return field.compute_nll(scores, torch.zeros(mask.shape, dtype=torch.long), mask)
        if name == "sequence_kl":
            return field.compute_sequence_kl(second, scores, mask)
        return field.compute_cross_entropy(field.compute_soft_targets(second, mask), scores, mask)

    plain = torch.autograd.grad(compute_loss(emissions.float()).sum(), list(field.parameters()))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = compute_loss(emissions)
        gradients = torch.autograd.grad(mixed.sum(), list(field.parameters()))
    assert mixed.dtype == torch.float32
    torch.testing.assert_close(gradients, plain, rtol=1e-5, atol=1e-5)


LOSSES = {
    "nll": lambda field, p, q, mask: field.compute_nll(q, torch.zeros(mask.shape, dtype=torch.long), mask),
    "kl": lambda field, p, q, mask: field.compute_sequence_kl(p, q, mask, 2.0),
    "cross entropy": lambda field, p, q, mask: field.compute_cross_entropy(
        field.compute_soft_targets(p, mask), q, mask
    ),
}
DECODERS = {
    "viterbi": lambda field, p, mask: field.decode_viterbi(p, mask),
    "n best": lambda field, p, mask: field.decode_n_best(p, mask, 3),
    "marginals": lambda field, p, mask: field.compute_marginals(p, mask),
}


def compile_whole(call):
    """Compile a call; fullgraph refuses a break in the graph, such as a look at a value."""
    torch._dynamo.reset()
    return torch.compile(call, fullgraph=True, backend="aot_eager")


@pytest.fixture(params=[1.0, 3000.0])  # the second is beyond what scaled float64 holds
def chains(request):
    """A field with a forbidden transition, the emissions of two sides, and a mask."""
    allowed = torch.ones(4, 3, dtype=torch.bool)
    allowed[0, 1] = False
    p, q = (draw_emissions([6, 1, 3], 3, seed) * request.param for seed in (1, 2))
    return make_random_field(3, 2, allowed=allowed), p, q.requires_grad_(), build_mask([6, 1, 3])


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_compiled_whole_is_the_same_and_so_are_its_gradients(chains, name):
    field, p, q, mask = chains
    weights = [q, *field.parameters()]
    loss = LOSSES[name](field, p, q, mask)

    compiled_loss = compile_whole(lambda: LOSSES[name](field, p, q, mask))()

    torch.testing.assert_close(compiled_loss, loss)
    compiled_gradients, gradients = (torch.autograd.grad(value.sum(), weights) for value in (compiled_loss, loss))
    torch.testing.assert_close(compiled_gradients, gradients)


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODERS)
def test_decoding_compiled_whole_is_the_same(chains, name):
    field, p, _, mask = chains

    compiled = compile_whole(lambda: DECODERS[name](field, p, mask))()

    torch.testing.assert_close(compiled, DECODERS[name](field, p, mask))


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, ("c++", "g++", "clang++"))), reason="Inductor needs a C++ compiler")
def test_compiled_to_machine_code_it_says_the_same():
    torch._dynamo.reset()
    field, mask, emissions = (
        make_random_field(3, 2),
        build_mask([4, 1]),
        draw_emissions([4, 1], 3, 1).requires_grad_(),
    )
    gold, weights = torch.zeros(mask.shape, dtype=torch.long), [emissions, *field.parameters()]

    def run_both() -> tuple[torch.Tensor, torch.Tensor]:
        return field.compute_nll(emissions, gold, mask), field.decode_viterbi(emissions, mask)[0]

    (loss, tags), (expected, path) = torch.compile(run_both, fullgraph=True)(), run_both()
    torch.testing.assert_close(loss, expected)
    assert torch.equal(tags, path)
    compiled_gradients, gradients = (torch.autograd.grad(value.sum(), weights) for value in (loss, expected))
    torch.testing.assert_close(compiled_gradients, gradients)


def test_a_forbidden_step_costs_more_than_any_real_score():
    field = LinearChainCRF(2, torch.tensor([[True, False], [True, True], [True, True]]))
    emissions = torch.tensor([[[100.0, 0.0], [0.0, 100.0]]])

    assert field.decode_viterbi(emissions, build_mask([2]))[0].tolist() in ([[0, 0]], [[1, 1]])
    assert FORBIDDEN + 200 < 0


@pytest.mark.parametrize("small", [0, 2**15])
@settings(max_examples=40, deadline=None)
@given(shapes)
def test_every_way_of_searching_finds_the_same_path(small, shape):
    """That of GPUs, that of compiled graphs, and those of a CPU for few and for many sums a step."""
    tags, lengths, seed = shape
    field = make_random_field(tags, seed).requires_grad_(False)
    chains = (draw_emissions(lengths, tags, seed), *field.compute_weights(), torch.tensor(lengths))
    by_torch, scores = search_both_ends(torch, *chains)
    with mock.patch.object(torch.compiler, "is_compiling", return_value=True):
        compiled = decode_viterbi(*chains)

    with mock.patch.object(viterbi, "_SMALL", small):
        by_numpy = decode_viterbi(*chains)

    for result in (by_torch.T, scores), compiled:
        assert torch.equal(by_numpy[0], result[0])
        torch.testing.assert_close(by_numpy[1], result[1])
