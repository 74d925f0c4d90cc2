"""Forward-backward on a linear chain, for whole batches.

Trade-off: the recursions run on scaled float64 probabilities, so that a step is one small matrix product instead
of a log-sum-exp over tags x tags; forward and backward run side by side, stacked, in one pass over the
positions. Where even float64 underflows (scores some 700 apart in one place), the same pass is repeated in log
space. The gradient is not traced through the recursion: the gradient of log Z by a score is that score's marginal.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_RESCALE = 4  # positions between two rescalings: each costs as much as a step, float64 bears several unscaled


class Posterior(NamedTuple):
    """What a batch of chains believes, T positions and K tags; positions beyond a length hold zero."""

    log_z: Tensor  # (batch,)
    unary: Tensor  # (batch, T, K): p(y_t = k)
    alpha: Tensor  # (T, batch, K): scaled forward messages, emission included (log: unscaled logarithms)
    beta: Tensor  # (T, batch, K): scaled backward messages, emission included
    norm: Tensor  # (T, batch): what makes a distribution of alpha[t - 1] x link x beta[t]; zero (log: -inf) at 0
    link: Tensor  # (K, K): exponentiated transitions (log: the transitions)
    logs: bool

    def expected_transitions(self) -> Tensor:
        """How often each transition is expected in each chain, (batch, K, K)."""
        if self.logs:
            return self.pairwise().sum(1)
        weighted = (self.alpha[:-1] * self.norm[1:].unsqueeze(-1)).permute(1, 2, 0)  # (batch, K, T - 1)
        return torch.bmm(weighted, self.beta[1:].transpose(0, 1)) * self.link

    def pairwise(self) -> Tensor:
        """p(y_t = i, y_{t+1} = j), (batch, T - 1, K, K)."""
        left, right = self.alpha[:-1].unsqueeze(-1), self.beta[1:].unsqueeze(-2)
        norm = self.norm[1:, :, None, None]
        joint = (left + right + self.link + norm).exp() if self.logs else left * right * self.link * norm
        return joint.transpose(0, 1)

    def onward(self, tags: Tensor) -> Tensor:
        """p(y_{t+1} = j | y_t = tags[t]) along given sequences (batch, T), (batch, T - 1, K).

        What lies behind a position has no say once its tag is known, so that no pairwise marginal is needed.
        """
        links, ahead = self.link[tags[:, :-1]], self.beta[1:].transpose(0, 1)
        if self.logs:
            return (links + ahead).softmax(-1)
        rows = links * ahead
        return rows / rows.sum(-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)


def reversal(lengths: Tensor, positions: int) -> Tensor:
    """Index that turns each chain around within its length, (T * batch,); beyond it, position 0 again."""
    at = (lengths - 1 - torch.arange(positions, device=lengths.device).unsqueeze(1)).clamp(min=0)
    return (at * len(lengths) + torch.arange(len(lengths), device=lengths.device)).flatten()


def turn(values: Tensor, index: Tensor) -> Tensor:
    """Apply a reversal to (T, batch, K)."""
    return values.reshape(-1, values.shape[-1]).index_select(0, index).view(values.shape)


def forward_backward(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> Posterior:
    """Exact posterior of linear chains (Rabiner 1989; scaled as in section V.A).

    Args:
        emissions: (batch, T, K), any float type; what stands beyond a length is ignored.
        start, end: (K,).
        transitions: (K, K), from row to column.
        lengths: (batch,), each between 1 and T.
    """
    scores = [x.detach() for x in (emissions, start, transitions, end)]
    inside, *scores = _prepare(*scores, lengths)
    if torch.compiler.is_compiling():  # a look at the values would cut the graph; log space bears any
        return _logarithmic(*scores, lengths, inside)
    found = _scaled(*scores, lengths, inside)
    return found if bool(torch.isfinite(found.log_z).all()) else _logarithmic(*scores, lengths, inside)


def log_marginals(emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
    """log p(y_t = k), (batch, T, K), traced by autograd, hence slow; what stands beyond a length has no meaning.

    Takes the same arguments as :func:`forward_backward`.
    """
    _, *scores = _prepare(emissions, start, transitions, end, lengths)
    ahead, behind, _ = _log_messages(*scores, lengths)
    return (ahead + behind).log_softmax(-1).transpose(0, 1)


def _prepare(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Tensor, ...]:
    """Where there is a position, (T, batch), and the scores in float64, emissions with T first."""
    wide = torch.float32 if emissions.device.type == "mps" else torch.float64
    inside = torch.arange(emissions.shape[1], device=lengths.device).unsqueeze(1) < lengths
    emissions = emissions.transpose(0, 1).to(wide).masked_fill(~inside.unsqueeze(-1), 0.0).contiguous()
    return inside, emissions, start.to(wide), transitions.to(wide), end.to(wide)


def _scaled(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor, inside: Tensor
) -> Posterior:
    steps, batch, _ = emissions.shape
    peaks = emissions.amax(-1, keepdim=True)  # (T, batch, 1)
    index = reversal(lengths, steps)
    emit = (emissions - peaks).exp_()
    top, first, last = transitions.max(), start.max(), end.max()
    link = (transitions - top).exp()
    edges = torch.stack([(start - first).exp(), (end - last).exp()]).unsqueeze(1)  # (2, 1, K)
    both = torch.stack([emit, turn(emit, index)], 1)  # (T, 2, batch, K): forward, backward
    before, after, scale = _messages(both, torch.stack([link, link.T]), edges)
    alpha, behind = after[:, 0], turn(before[:, 1], index)
    joint = alpha * behind
    share = torch.where(inside, joint.sum(-1).reciprocal_(), 0.0)  # (T, batch)
    unary = joint.mul_(share.unsqueeze(-1)).transpose(0, 1)
    norm = share / scale
    norm[0] = 0.0
    z = alpha[lengths - 1, torch.arange(batch, device=lengths.device)] @ edges[1, 0]
    log_z = z.log() + torch.where(inside, scale.log() + peaks[..., 0], 0.0).sum(0)
    log_z = log_z + (lengths - 1) * top + first + last
    healthy = unary.sum((1, 2)).isfinite() & norm.sum(0).isfinite()  # else something underflowed
    log_z = torch.where(healthy, log_z, torch.nan)
    return Posterior(log_z, unary, alpha, behind.mul_(emit), norm, link, False)


def _messages(emit: Tensor, links: Tensor, edges: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Forward and backward messages without and with the emission, and what the forward ones were divided by.

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
    b, a, e = before.unbind(), after.unbind(), emit.unbind()
    for t in range(1, len(e)):
        torch.bmm(a[t - 1], links, out=b[t])
        torch.mul(b[t], e[t], out=a[t])
        if t % _RESCALE == 0:
            total = a[t].sum(-1, keepdim=True).clamp_(min=least)  # beyond a length nothing may become NaN
            a[t].div_(total)
            scale[t] = total[0, :, 0]
    return before, after, scale


def _logarithmic(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor, inside: Tensor
) -> Posterior:
    ahead, behind, beta = _log_messages(emissions, start, transitions, end, lengths)
    log_z = torch.logsumexp(ahead[0] + behind[0], -1)  # (batch,)
    unary = (ahead + behind - log_z.unsqueeze(-1)).exp()
    unary = torch.where(inside.unsqueeze(-1), unary, 0.0).transpose(0, 1)
    inner = inside.clone()
    inner[0] = False
    norm = torch.where(inner, -log_z, -torch.inf)
    return Posterior(log_z, unary, ahead, beta, norm, transitions, True)


def _log_messages(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Forward messages, and backward messages without and with the emission, each (T, batch, K)."""
    index = reversal(lengths, len(emissions))
    emit = torch.stack([emissions, turn(emissions, index)], 1)  # (T, 2, batch, K)
    links = torch.stack([transitions, transitions.T]).unsqueeze(1)  # (2, 1, K, K)
    before = [torch.stack([start, end]).unsqueeze(1).expand_as(emit[0])]
    after = [before[0] + emit[0]]
    for t in range(1, len(emissions)):
        before.append(torch.logsumexp(after[-1].unsqueeze(-1) + links, -2))
        after.append(before[-1] + emit[t])
    ahead, beta = torch.stack(after).unbind(1)
    return ahead, turn(torch.stack(before)[:, 1], index), turn(beta, index)


class LogPartition(torch.autograd.Function):
    """log Z of each chain; its gradient by a score is the expectation of that score's feature."""

    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        """Run forward-backward; keep the marginals for the way back."""
        posterior = forward_backward(emissions, start, transitions, end, lengths)
        ctx.posterior, ctx.lengths, ctx.dtype = posterior, lengths, emissions.dtype
        return posterior.log_z.to(emissions.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Weigh the marginals with the incoming gradient, (batch,)."""
        posterior, lengths = ctx.posterior, ctx.lengths
        weighted = posterior.unary.to(ctx.dtype) * grad[:, None, None]
        last = weighted[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        counts = posterior.expected_transitions().to(ctx.dtype) * grad[:, None, None]
        # sums and no matrix products: those would be in half precision, were this called under autocast
        return weighted, weighted[:, 0].sum(0), counts.sum(0), last.sum(0), None
