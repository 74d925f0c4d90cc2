"""A linear-chain conditional random field: exact, batched, always in float32 or better.

Trade-off: no option for batch order, reductions or masks with holes, which taggers do not need and which cost
every call; in exchange the gold score has no loop, log Z has a closed-form gradient and the KL divergence
between two tag-sequence distributions is exact.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cotpd.student.chain import LogPartition, Posterior, forward_backward, log_marginals
from cotpd.student.decoding import n_best, viterbi

FORBIDDEN = -1e4  # a score that no sum of real ones makes up for, yet finite: its gradient is zero, not NaN


class Marginals(NamedTuple):
    """Posterior probabilities of a batch; zero beyond a length."""

    unary: Tensor  # (batch, T, K): p(y_t = k)
    pairwise: Tensor  # (batch, T - 1, K, K): p(y_t = i, y_{t+1} = j)


class Belief(NamedTuple):
    """All that a cross-entropy needs to know of distributions over tag sequences, or of averages of several."""

    unary: Tensor  # (batch, T, K): p(y_t = k); zero beyond a length
    transitions: Tensor  # (batch, K, K): how often each transition is expected
    entropy: Tensor  # (batch,): in nats; of an average, the mean of its members'


class LinearChainCRF(nn.Module):
    """p(y | x) proportional to exp(start + sum of emissions + sum of transitions + end) (Lafferty et al. 2001).

    Masks are boolean (batch, T), true from the first position to the chain's last, without holes.

    Args:
        tags: K, the number of tags.
        allowed: Boolean (K + 1, K): row K says which tags may begin, row i which may follow tag i; None: all.
    """

    penalty: Tensor

    def __init__(self, tags: int, allowed: Tensor | None = None) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.zeros(tags))
        self.end = nn.Parameter(torch.zeros(tags))
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        if allowed is None:
            allowed = torch.ones(tags + 1, tags, dtype=torch.bool)
        self.register_buffer("penalty", torch.where(allowed, 0.0, FORBIDDEN), persistent=False)

    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """Start (K,), transitions (K, K) and end (K,) scores, forbidden ones included."""
        return self.start + self.penalty[-1], self.transitions + self.penalty[:-1], self.end

    def score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Score of given tag sequences, (batch,); emissions (batch, T, K), tags (batch, T)."""
        start, transitions, end = self.weights()
        tags = tags.masked_fill(~mask, 0)
        local = _exact(emissions).gather(-1, tags.unsqueeze(-1)).squeeze(-1)  # (batch, T)
        local = local.masked_fill(~mask, 0.0).sum(1)
        steps = transitions[tags[:, :-1], tags[:, 1:]].masked_fill(~mask[:, 1:], 0.0).sum(1)
        last = tags.gather(1, mask.sum(1, keepdim=True) - 1).squeeze(1)
        return local + steps + start[tags[:, 0]] + end[last]

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Logarithm of the sum over all tag sequences, (batch,)."""
        return LogPartition.apply(_exact(emissions), *self.weights(), mask.sum(1))

    def nll(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of given tag sequences, (batch,)."""
        return self.log_partition(emissions, mask) - self.score(emissions, tags, mask)

    @torch.no_grad()
    def marginals(self, emissions: Tensor, mask: Tensor, temperature: float = 1.0) -> Marginals:
        """Posterior probabilities of tags and of pairs of neighbours, every score divided by the temperature."""
        emissions = _exact(emissions)
        posterior = self._posterior(emissions, mask, temperature)
        return Marginals(posterior.unary.to(emissions.dtype), posterior.pairwise().to(emissions.dtype))

    @torch.no_grad()
    def along(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """How probable given sequences (batch, T) are, step by step, every score divided by the temperature.

        Returns:
            p(y_t = tags[t]), (batch, T), and p(y_{t+1} = j | y_t = tags[t]), (batch, T - 1, K).
        """
        posterior = self._posterior(_exact(emissions), mask, temperature)
        return posterior.unary.gather(2, tags.unsqueeze(-1)).squeeze(2), posterior.onward(tags)

    def _posterior(self, emissions: Tensor, mask: Tensor, temperature: float) -> Posterior:
        weights = (w / temperature for w in self.weights())
        return forward_backward(emissions / temperature, *weights, mask.sum(1))

    @torch.no_grad()
    def viterbi(self, emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Best tag sequences (batch, T), zero beyond a length, and their scores (batch,)."""
        return viterbi(_exact(emissions), *self.weights(), mask.sum(1))

    @torch.no_grad()
    def n_best(self, emissions: Tensor, mask: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """The n best tag sequences (batch, n, T) and scores (batch, n); -inf where there are fewer."""
        return n_best(_exact(emissions), *self.weights(), mask.sum(1), n)

    def sequence_kl(self, p: Tensor, q: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
        """KL(p || q) between two distributions over whole tag sequences, exact, (batch,); p gets no gradient.

        KL = E_p[score_p - score_q] - log Z_p + log Z_q, the expectation from p's unary and pairwise marginals.
        Both share this field's transitions, every score divided by the temperature.

        Args:
            p, q: Emissions of the two sides, (batch, T, K).
            mask: (batch, T).
            temperature: Above 1, softer distributions.
        """
        p, q, lengths = _exact(p).detach() / temperature, _exact(q) / temperature, mask.sum(1)
        weights = tuple(w / temperature for w in self.weights())
        fixed = tuple(w.detach() for w in weights)
        with torch.no_grad():
            posterior = forward_backward(p, *fixed, lengths)
            unary, pairs = posterior.unary.to(p.dtype), posterior.expected_transitions().to(p.dtype)
            last = unary.gather(1, (lengths - 1).view(-1, 1, 1).expand(-1, 1, p.shape[-1])).squeeze(1)
        gap = (unary * (p - q).masked_fill(~mask.unsqueeze(-1), 0.0)).sum((1, 2))
        gap = gap + _dot(unary[:, 0], fixed[0] - weights[0]) + _dot(last, fixed[2] - weights[2])
        gap = gap + (pairs * (fixed[1] - weights[1])).sum((1, 2))
        return gap - posterior.log_z.to(p.dtype) + LogPartition.apply(q, *weights, lengths)

    @torch.no_grad()
    def belief(self, emissions: Tensor, mask: Tensor, temperature: float = 1.0) -> Belief:
        """What the field, every score divided by the temperature, believes of a batch; without gradient."""
        emissions = _exact(emissions) / temperature
        start, transitions, end = (w / temperature for w in self.weights())
        posterior = forward_backward(emissions, start, transitions, end, mask.sum(1))
        unary, steps = posterior.unary.to(emissions.dtype), posterior.expected_transitions().to(emissions.dtype)
        expected = _expected(unary, steps, emissions, (start, transitions, end), mask)
        return Belief(unary, steps, posterior.log_z.to(emissions.dtype) - expected)

    def cross_entropy(self, p: Belief, emissions: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
        """-E_p[log q] over whole tag sequences, exact, (batch,); minus p's entropy it is KL(p || q).

        The expectation is linear in p: for an average of beliefs this is the average of the cross-entropies,
        although the average of chains is no chain.

        Args:
            p: A belief, computed at the same temperature.
            emissions: Of q, (batch, T, K).
            mask: (batch, T).
            temperature: Every score of q is divided by it.
        """
        emissions = _exact(emissions) / temperature
        weights = tuple(w / temperature for w in self.weights())
        log_z = LogPartition.apply(emissions, *weights, mask.sum(1))
        return log_z - _expected(p.unary, p.transitions, emissions, weights, mask)

    def token_kl(self, p: Tensor, q: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
        """Sum over tokens of KL between the tags' marginals under both chains, (batch,); p gets no gradient.

        Per-token posteriors, as in ITA (Wang et al. 2022) and MoRe: blind to how neighbours hang together, and
        slower, because the gradient is traced through the recursion. Arguments as for :meth:`sequence_kl`.
        """
        p, q, lengths = _exact(p).detach() / temperature, _exact(q) / temperature, mask.sum(1)
        weights = tuple(w / temperature for w in self.weights())
        log_p = log_marginals(p, *(w.detach() for w in weights), lengths)
        gap = log_p - log_marginals(q, *weights, lengths)
        return (log_p.exp() * gap).sum(-1).masked_fill(~mask, 0.0).sum(1).to(q.dtype)


def _expected(
    unary: Tensor, steps: Tensor, emissions: Tensor, weights: tuple[Tensor, ...], mask: Tensor
) -> Tensor:
    """Expected score (batch,) under marginals of a field with given emissions and weights."""
    start, transitions, end = weights
    at = (mask.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, unary.shape[-1])
    local = (unary * emissions.masked_fill(~mask.unsqueeze(-1), 0.0)).sum((1, 2))
    edges = _dot(unary[:, 0], start) + _dot(unary.gather(1, at).squeeze(1), end)
    return local + edges + (steps * transitions).sum((1, 2))


def _dot(rows: Tensor, weights: Tensor) -> Tensor:
    """Of each row (batch, K) with weights (K,); autocast would compute a matrix product in half precision."""
    return (rows * weights).sum(-1)


def _exact(emissions: Tensor) -> Tensor:
    """Half precision is not enough for sums over sequences."""
    return emissions if emissions.dtype == torch.float64 else emissions.float()
