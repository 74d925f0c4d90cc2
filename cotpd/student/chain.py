"""Forward-backward on a linear chain, for whole batches.

Trade-off: the recursions run on scaled float64 probabilities, so that a step is one small matrix product instead
of a log-sum-exp over tags x tags; forward and backward run side by side, stacked, in one pass over the
positions. If even float64 underflows (scores some 700 apart at one position), the same pass is repeated in log
space. The gradient is not traced through the recursion: the gradient of log Z by a score is that score's marginal.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_RESCALE = 4  # positions between two rescalings: each costs as much as a step, and float64 can do without for some


class Posterior(NamedTuple):
    """The posterior of a batch of chains, T positions and K tags; positions beyond a length hold zero."""

    log_z: Tensor  # (batch,)
    unary: Tensor  # (batch, T, K): p(y_t = k)
    alpha: Tensor  # (T, batch, K): scaled forward messages, emission included (log: unscaled logarithms)
    beta: Tensor  # (T, batch, K): scaled backward messages, emission included
    norm: Tensor  # (T, batch): factor that normalises alpha[t - 1] x link x beta[t]; zero (log: -inf) at t = 0
    link: Tensor  # (K, K): exponentiated transitions (log: the transitions)
    logs: bool  # whether the fields marked "log" hold logarithms

    def compute_transition_counts(self) -> Tensor:
        """Return how often each transition is expected in each chain, (batch, K, K)."""
        if self.logs:
            return self.compute_pairwise().sum(1)
        weighted = (self.alpha[:-1] * self.norm[1:].unsqueeze(-1)).permute(1, 2, 0)  # (batch, K, T - 1)
        return torch.bmm(weighted, self.beta[1:].transpose(0, 1)) * self.link

    def compute_pairwise(self) -> Tensor:
        """Return p(y_t = i, y_{t+1} = j), (batch, T - 1, K, K)."""
        left, right = self.alpha[:-1].unsqueeze(-1), self.beta[1:].unsqueeze(-2)
        norm = self.norm[1:, :, None, None]
        joint = (left + right + self.link + norm).exp() if self.logs else left * right * self.link * norm
        return joint.transpose(0, 1)

    def compute_next_tags(self, tags: Tensor) -> Tensor:
        """Return p(y_{t+1} = j | y_t = tags[t]) along given sequences (batch, T), (batch, T - 1, K).

        Given the tag at t, the tag at t + 1 does not depend on earlier ones, so no pairwise marginal is needed.
        """
        links, backward = self.link[tags[:, :-1]], self.beta[1:].transpose(0, 1)
        if self.logs:
            return (links + backward).softmax(-1)
        weights = links * backward
        return weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)


def build_reversal_index(lengths: Tensor, positions: int) -> Tensor:
    """Return the index that reverses each chain within its length, (T * batch,); beyond it, position 0 again."""
    reversed_positions = lengths - 1 - torch.arange(positions, device=lengths.device).unsqueeze(1)  # (T, batch)
    chains = torch.arange(len(lengths), device=lengths.device)
    return (reversed_positions.clamp(min=0) * len(lengths) + chains).flatten()


def apply_reversal(values: Tensor, index: Tensor) -> Tensor:
    """Return (T, batch, K) with each chain reversed, by an index of :func:`build_reversal_index`."""
    return values.reshape(-1, values.shape[-1]).index_select(0, index).view(values.shape)


def run_forward_backward(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> Posterior:
    """Return the exact posterior of linear chains (Rabiner 1989; scaled as in section V.A), without gradient.

    Args:
        emissions: (batch, T, K), any float type; values beyond a length are ignored.
        start, end: (K,).
        transitions: (K, K), from row to column.
        lengths: (batch,), each between 1 and T.
    """
    chains = _prepare(emissions.detach(), start.detach(), transitions.detach(), end.detach(), lengths)
    if torch.compiler.is_compiling():  # testing the values would cut the graph; log space never underflows
        return _run_logarithmic(chains)
    posterior = _run_scaled(chains)
    return posterior if bool(torch.isfinite(posterior.log_z).all()) else _run_logarithmic(chains)


def compute_log_marginals(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> Tensor:
    """Return log p(y_t = k), (batch, T, K), traced by autograd, hence slow; values beyond a length mean nothing.

    Takes the same arguments as :func:`run_forward_backward`.
    """
    chains = _prepare(emissions, start, transitions, end, lengths)
    forward, backward, _ = _pass_log_messages(chains)
    return (forward + backward).log_softmax(-1).transpose(0, 1)


class _Chains(NamedTuple):
    """The scores of a batch of chains, in float64 where the device has it."""

    emissions: Tensor  # (T, batch, K): zero beyond a length
    start: Tensor  # (K,)
    transitions: Tensor  # (K, K)
    end: Tensor  # (K,)
    lengths: Tensor  # (batch,)
    inside: Tensor  # (T, batch): true within a length


def _prepare(emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor) -> _Chains:
    """Return the scores with positions first, in float64 (Apple's GPUs have no more than float32)."""
    wide = torch.float32 if emissions.device.type == "mps" else torch.float64
    inside = torch.arange(emissions.shape[1], device=lengths.device).unsqueeze(1) < lengths
    emissions = emissions.transpose(0, 1).to(wide).masked_fill(~inside.unsqueeze(-1), 0.0).contiguous()
    return _Chains(emissions, start.to(wide), transitions.to(wide), end.to(wide), lengths, inside)


def _run_scaled(chains: _Chains) -> Posterior:
    """Return the posterior, from scaled probabilities; log_z is NaN for a chain that underflowed."""
    emissions, start, transitions, end, lengths, inside = chains
    steps, batch, _ = emissions.shape
    peaks = emissions.amax(-1, keepdim=True)  # (T, batch, 1)
    index = build_reversal_index(lengths, steps)
    emit = (emissions - peaks).exp_()
    top, first, last = transitions.max(), start.max(), end.max()
    link = (transitions - top).exp()
    edges = torch.stack([(start - first).exp(), (end - last).exp()]).unsqueeze(1)  # (2, 1, K)

    sides = torch.stack([emit, apply_reversal(emit, index)], 1)  # (T, 2, batch, K): forward, backward
    before, after, scale = _pass_messages(sides, torch.stack([link, link.T]), edges)
    alpha, backward = after[:, 0], apply_reversal(before[:, 1], index)  # backward: without the emission
    joint = alpha * backward
    share = torch.where(inside, joint.sum(-1).reciprocal_(), 0.0)  # (T, batch)
    unary = joint.mul_(share.unsqueeze(-1)).transpose(0, 1)
    norm = share / scale
    norm[0] = 0.0

    z = alpha[lengths - 1, torch.arange(batch, device=lengths.device)] @ edges[1, 0]
    log_z = z.log() + torch.where(inside, scale.log() + peaks[..., 0], 0.0).sum(0)
    log_z = log_z + (lengths - 1) * top + first + last
    is_sound = unary.sum((1, 2)).isfinite() & norm.sum(0).isfinite()  # false where a product underflowed
    log_z = torch.where(is_sound, log_z, torch.nan)
    return Posterior(log_z, unary, alpha, backward.mul_(emit), norm, link, False)


def _pass_messages(emit: Tensor, links: Tensor, edges: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pass messages along the chains, forward and backward side by side.

    Returns:
        Messages without and with the emission, (T, 2, batch, K) each, and the divisors of the forward ones,
        (T, batch).

    Args:
        emit: (T, 2, batch, K), exponentiated.
        links: (2, K, K).
        edges: (2, 1, K).
    """
    before, after = torch.empty_like(emit), torch.empty_like(emit)
    scale = emit.new_ones(emit.shape[0], emit.shape[2])
    least = torch.finfo(emit.dtype).tiny
    before[0] = edges
    torch.mul(emit[0], edges, out=after[0])

    # unbound once: indexing a tensor at every step costs as much as the product itself
    befores, afters, emits = before.unbind(), after.unbind(), emit.unbind()
    for t in range(1, len(emits)):
        torch.bmm(afters[t - 1], links, out=befores[t])
        torch.mul(befores[t], emits[t], out=afters[t])
        if t % _RESCALE == 0:
            total = afters[t].sum(-1, keepdim=True).clamp_(min=least)  # zero beyond a length would give NaN
            afters[t].div_(total)
            scale[t] = total[0, :, 0]
    return before, after, scale


def _run_logarithmic(chains: _Chains) -> Posterior:
    """Return the posterior, computed in log space: slower, and never underflows."""
    forward, backward, beta = _pass_log_messages(chains)
    log_z = torch.logsumexp(forward[0] + backward[0], -1)  # (batch,)
    unary = (forward + backward - log_z.unsqueeze(-1)).exp()
    unary = torch.where(chains.inside.unsqueeze(-1), unary, 0.0).transpose(0, 1)

    has_predecessor = chains.inside.clone()
    has_predecessor[0] = False
    norm = torch.where(has_predecessor, -log_z, -torch.inf)
    return Posterior(log_z, unary, forward, beta, norm, chains.transitions, True)


def _pass_log_messages(chains: _Chains) -> tuple[Tensor, Tensor, Tensor]:
    """Return forward messages, and backward messages without and with the emission, each (T, batch, K)."""
    emissions, start, transitions, end, lengths, _ = chains
    index = build_reversal_index(lengths, len(emissions))
    emit = torch.stack([emissions, apply_reversal(emissions, index)], 1)  # (T, 2, batch, K)
    links = torch.stack([transitions, transitions.T]).unsqueeze(1)  # (2, 1, K, K)
    before = [torch.stack([start, end]).unsqueeze(1).expand_as(emit[0])]
    after = [before[0] + emit[0]]
    for t in range(1, len(emissions)):
        before.append(torch.logsumexp(after[-1].unsqueeze(-1) + links, -2))
        after.append(before[-1] + emit[t])
    forward, beta = torch.stack(after).unbind(1)
    return forward, apply_reversal(torch.stack(before)[:, 1], index), apply_reversal(beta, index)


class LogPartition(torch.autograd.Function):
    """log Z of each chain; its gradient by a score is the expectation of that score's feature."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        """Return log Z, (batch,), and keep the marginals for the backward pass."""
        posterior = run_forward_backward(emissions, start, transitions, end, lengths)
        ctx.posterior, ctx.lengths, ctx.dtype = posterior, lengths, emissions.dtype
        return posterior.log_z.to(emissions.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the marginals, weighted by the incoming gradient (batch,)."""
        posterior, lengths = ctx.posterior, ctx.lengths
        weighted = posterior.unary.to(ctx.dtype) * grad[:, None, None]
        last = weighted[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        counts = posterior.compute_transition_counts().to(ctx.dtype) * grad[:, None, None]
        # sums and no matrix products: autocast would compute those in half precision
        return weighted, weighted[:, 0].sum(0), counts.sum(0), last.sum(0), None


def compute_log_partition(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> Tensor:
    """Return log Z of each chain, (batch,), with its gradient; arguments as for :func:`run_forward_backward`."""
    log_z: Tensor = LogPartition.apply(emissions, start, transitions, end, lengths)  # type: ignore[no-untyped-call]
    return log_z
