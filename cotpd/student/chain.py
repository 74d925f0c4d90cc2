"""Forward-backward on a linear chain, for whole batches.

Trade-off: the recursions run on scaled float64 probabilities, so that a step is one small matrix product instead
of a log-sum-exp over tags x tags; forward and backward run side by side, stacked, in one pass over the
positions. Where even float64 underflows (scores some 700 apart in one place), the same pass is repeated in log
space. The gradient is not traced through the recursion: the gradient of log Z by a score is that score's marginal.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

_RESCALE = 4  # positions between two rescalings: each costs as much as a step, float64 bears several unscaled


class Posterior(NamedTuple):
    """What a batch of chains believes, T positions and K tags; positions beyond a length hold zero."""

    log_z: Tensor  # (batch,)
    unary: Tensor  # (batch, T, K): p(y_t = k)
    alpha: Tensor  # (T, batch, K): scaled forward messages, emission included (log: unscaled logarithms)
    beta: Tensor  # (T, batch, K): scaled backward messages, emission included
    norm: Tensor  # (T, batch): scale of alpha[t - 1] x transitions x beta[t]
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


def reversal(lengths: Tensor, positions: int) -> Tensor:
    """Index that turns each chain around within its length, (T, batch); beyond it, position 0 again."""
    return (lengths - 1 - torch.arange(positions, device=lengths.device).unsqueeze(1)).clamp(min=0)


def turn(values: Tensor, index: Tensor) -> Tensor:
    """Apply a reversal to (T, batch, K)."""
    return values.gather(0, index.unsqueeze(-1).expand_as(values))


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
    wide = torch.float32 if emissions.device.type == "mps" else torch.float64
    scores = [x.detach().to(wide) for x in (emissions, start, transitions, end)]
    inside = torch.arange(emissions.shape[1], device=lengths.device).unsqueeze(1) < lengths  # (T, batch)
    scores[0] = scores[0].transpose(0, 1).masked_fill(~inside.unsqueeze(-1), 0.0)  # (T, batch, K)
    found = _scaled(*scores, lengths, inside)
    return found if bool(torch.isfinite(found.log_z).all()) else _logarithmic(*scores, lengths, inside)


def _scaled(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor, inside: Tensor
) -> Posterior:
    steps, batch, _ = emissions.shape
    peaks = emissions.amax(-1, keepdim=True)  # (T, batch, 1)
    index = reversal(lengths, steps)
    emit = (emissions - peaks).exp_()
    emit = torch.stack([emit, turn(emit, index)], 1)  # (T, 2, batch, K): forward, backward
    top, first, last = transitions.max(), start.max(), end.max()
    link = (transitions - top).exp()
    links = torch.stack([link, link.T])
    edges = torch.stack([(start - first).exp(), (end - last).exp()]).unsqueeze(1)  # (2, 1, K)
    before, after = torch.empty_like(emit), torch.empty_like(emit)  # messages without and with the emission
    before[0] = edges
    torch.mul(emit[0], edges, out=after[0])
    scale = torch.ones(steps, batch, dtype=emit.dtype, device=emit.device)
    b, a, e = before.unbind(), after.unbind(), emit.unbind()
    for t in range(1, steps):
        torch.bmm(a[t - 1], links, out=b[t])
        torch.mul(b[t], e[t], out=a[t])
        if t % _RESCALE == 0:
            total = a[t].sum(-1, keepdim=True)
            a[t].div_(total)
            scale[t] = total[0, :, 0]
    alpha, beta = after[:, 0], turn(after[:, 1], index)
    joint = alpha * turn(before[:, 1], index)
    mass = joint.sum(-1, keepdim=True)
    unary = torch.where(inside.unsqueeze(-1), joint / mass, 0.0).transpose(0, 1)
    inner = inside.clone()
    inner[0] = False
    norm = (before[:, 0] * beta).sum(-1).reciprocal_()
    norm = torch.where(inner, norm, 0.0)
    z = torch.gather(after[:, 0], 0, (lengths - 1).view(1, -1, 1).expand(1, -1, alpha.shape[-1]))[0]
    log_z = (z * edges[1]).sum(-1).log() + torch.where(inside, scale.log() + peaks[..., 0], 0.0).sum(0)
    log_z = log_z + (lengths - 1) * top + first + last
    healthy = unary.sum((1, 2)).isfinite() & norm.sum(0).isfinite()
    alpha = torch.where(inside.unsqueeze(-1), alpha, 0.0)
    beta = torch.where(inside.unsqueeze(-1), beta, 0.0)
    return Posterior(torch.where(healthy, log_z, torch.nan), unary, alpha, beta, norm, link, False)


def _logarithmic(
    emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor, inside: Tensor
) -> Posterior:
    steps = emissions.shape[0]
    index = reversal(lengths, steps)
    emit = torch.stack([emissions, turn(emissions, index)], 1)
    links = torch.stack([transitions, transitions.T]).unsqueeze(1)  # (2, 1, K, K)
    before = [torch.stack([start, end]).unsqueeze(1).expand_as(emit[0])]
    after = [before[0] + emit[0]]
    for t in range(1, steps):
        before.append(torch.logsumexp(after[-1].unsqueeze(-1) + links, -2))
        after.append(before[-1] + emit[t])
    ahead, behind = torch.stack(after).unbind(1)
    beta = turn(behind, index)
    joint = ahead + turn(torch.stack(before)[:, 1], index)
    log_z = torch.logsumexp(joint[0], -1)  # (batch,)
    unary = torch.where(inside.unsqueeze(-1), (joint - log_z.unsqueeze(-1)).exp(), 0.0).transpose(0, 1)
    inner = inside.clone()
    inner[0] = False
    norm = torch.where(inner, -log_z, -torch.inf)
    return Posterior(log_z, unary, ahead, beta, norm, transitions, True)


class LogPartition(torch.autograd.Function):
    """log Z of each chain; its gradient by a score is the expectation of that score's feature."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, emissions: Tensor, start: Tensor, transitions: Tensor, end: Tensor, lengths: Tensor
    ) -> Tensor:
        """Run forward-backward; keep the marginals for the way back."""
        posterior = forward_backward(emissions, start, transitions, end, lengths)
        unary = posterior.unary.to(emissions.dtype)
        ctx.save_for_backward(unary, posterior.expected_transitions().to(transitions.dtype), lengths)
        return posterior.log_z.to(emissions.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Weigh the marginals with the incoming gradient, (batch,)."""
        unary, counts, lengths = ctx.saved_tensors
        last = unary[torch.arange(len(lengths), device=lengths.device), lengths - 1]
        return (
            unary * grad[:, None, None],
            grad @ unary[:, 0],
            torch.einsum("b,bij->ij", grad, counts),
            grad @ last,
            None,
        )
