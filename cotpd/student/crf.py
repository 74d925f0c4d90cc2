"""A linear-chain conditional random field: exact, batched, always in float32 or better.

Trade-off: no option for batch order, reductions or masks with holes, which taggers do not need and which cost
every call; in exchange the gold score has no loop, log Z has a closed-form gradient and the KL divergence
between two tag-sequence distributions is exact.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from cotpd.student.chain import Posterior, compute_log_marginals, compute_log_partition, run_forward_backward
from cotpd.student.decoding import decode_n_best, decode_viterbi

FORBIDDEN = -1e4  # a score that no sum of learnt ones outweighs, yet finite: -inf would make the gradient NaN


class Marginals(NamedTuple):
    """Posterior probabilities of a batch; zero beyond a length."""

    unary: Tensor  # (batch, T, K): p(y_t = k)
    pairwise: Tensor  # (batch, T - 1, K, K): p(y_t = i, y_{t+1} = j)


class SoftTargets(NamedTuple):
    """The expectations of a distribution over tag sequences, or of an average, that a cross-entropy needs."""

    unary: Tensor  # (batch, T, K): p(y_t = k); zero beyond a length
    transitions: Tensor  # (batch, K, K): how often each transition is expected
    entropy: Tensor  # (batch,): in nats; of an average of distributions, the mean of their entropies


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

    def compute_weights(self, temperature: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """Return start (K,), transition (K, K) and end (K,) scores, with penalties, divided by the temperature."""
        start, transitions = self.start + self.penalty[-1], self.transitions + self.penalty[:-1]
        if temperature == 1.0:
            return start, transitions, self.end
        return start / temperature, transitions / temperature, self.end / temperature

    def score(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Return the score of given tag sequences, (batch,); emissions (batch, T, K), tags (batch, T)."""
        start, transitions, end = self.compute_weights()
        tags = tags.masked_fill(~mask, 0)
        local = _widen(emissions).gather(-1, tags.unsqueeze(-1)).squeeze(-1)  # (batch, T)
        local = local.masked_fill(~mask, 0.0).sum(1)
        steps = transitions[tags[:, :-1], tags[:, 1:]].masked_fill(~mask[:, 1:], 0.0).sum(1)
        last = tags.gather(1, mask.sum(1, keepdim=True) - 1).squeeze(1)
        return local + steps + start[tags[:, 0]] + end[last]

    def compute_log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Return the logarithm of the sum over all tag sequences, (batch,)."""
        return compute_log_partition(_widen(emissions), *self.compute_weights(), mask.sum(1))

    def compute_nll(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Return the negative log-likelihood of given tag sequences, (batch,)."""
        return self.compute_log_partition(emissions, mask) - self.score(emissions, tags, mask)

    @torch.no_grad()
    def compute_log_probabilities(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """Return the log-probability of given tag sequences, (batch,), every score divided by the temperature."""
        weights = self.compute_weights(temperature)
        log_z = compute_log_partition(_widen(emissions) / temperature, *weights, mask.sum(1))
        return self.score(emissions, tags, mask) / temperature - log_z

    @torch.no_grad()
    def compute_marginals(self, emissions: Tensor, mask: Tensor, temperature: float = 1.0) -> Marginals:
        """Return the posterior probabilities of tags and of pairs of adjacent tags, at a temperature."""
        emissions = _widen(emissions)
        posterior = self._compute_posterior(emissions, mask, temperature)
        return Marginals(posterior.unary.to(emissions.dtype), posterior.compute_pairwise().to(emissions.dtype))

    @torch.no_grad()
    def compute_path_probabilities(
        self, emissions: Tensor, tags: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> tuple[Tensor, Tensor]:
        """Return the probabilities of the tags of given sequences (batch, T), at a temperature.

        Returns:
            p(y_t = tags[t]), (batch, T), and p(y_{t+1} = j | y_t = tags[t]), (batch, T - 1, K).
        """
        posterior = self._compute_posterior(_widen(emissions), mask, temperature)
        tag_probabilities = posterior.unary.gather(2, tags.unsqueeze(-1)).squeeze(2)
        return tag_probabilities, posterior.compute_next_tags(tags)

    def _compute_posterior(self, emissions: Tensor, mask: Tensor, temperature: float) -> Posterior:
        weights = self.compute_weights(temperature)
        return run_forward_backward(emissions / temperature, *weights, mask.sum(1))

    @torch.no_grad()
    def decode_viterbi(self, emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the best tag sequences (batch, T), zero beyond a length, and their scores (batch,)."""
        return decode_viterbi(_widen(emissions), *self.compute_weights(), mask.sum(1))

    @torch.no_grad()
    def decode_n_best(self, emissions: Tensor, mask: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Return the n best tag sequences (batch, n, T) and scores (batch, n), -inf if a chain has fewer."""
        return decode_n_best(_widen(emissions), *self.compute_weights(), mask.sum(1), n)

    def compute_sequence_kl(self, p: Tensor, q: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
        """Return the exact KL(p || q) of two distributions over whole tag sequences, (batch,); p gets no gradient.

        KL = E_p[score_p - score_q] - log Z_p + log Z_q, the expectation from p's unary and pairwise marginals.
        Both share this field's transitions, every score divided by the temperature.

        Args:
            p, q: Emissions of the two sides, (batch, T, K).
            mask: (batch, T).
            temperature: Above 1, softer distributions.
        """
        p, q, lengths = _widen(p).detach() / temperature, _widen(q) / temperature, mask.sum(1)
        weights = self.compute_weights(temperature)
        start, transitions, end = (weight.detach() for weight in weights)
        with torch.no_grad():
            posterior = run_forward_backward(p, start, transitions, end, lengths)
            unary, counts = posterior.unary.to(p.dtype), posterior.compute_transition_counts().to(p.dtype)
            last = unary.gather(1, (lengths - 1).view(-1, 1, 1).expand(-1, 1, p.shape[-1])).squeeze(1)

        # E_p[score_p - score_q]: the values of the shared transitions cancel, q's gradient through them does not
        gap = (unary * (p - q).masked_fill(~mask.unsqueeze(-1), 0.0)).sum((1, 2))
        gap = gap + _multiply_rows(unary[:, 0], start - weights[0]) + _multiply_rows(last, end - weights[2])
        gap = gap + (counts * (transitions - weights[1])).sum((1, 2))
        return gap - posterior.log_z.to(p.dtype) + compute_log_partition(q, *weights, lengths)

    @torch.no_grad()
    def compute_soft_targets(self, emissions: Tensor, mask: Tensor, temperature: float = 1.0) -> SoftTargets:
        """Return the expectations of each post's distribution over tag sequences, without gradient."""
        emissions = _widen(emissions) / temperature
        weights = self.compute_weights(temperature)
        posterior = run_forward_backward(emissions, *weights, mask.sum(1))
        unary = posterior.unary.to(emissions.dtype)
        counts = posterior.compute_transition_counts().to(emissions.dtype)
        expected_score = _compute_expected_score(unary, counts, emissions, weights, mask)
        return SoftTargets(unary, counts, posterior.log_z.to(emissions.dtype) - expected_score)

    def compute_cross_entropy(
        self, p: SoftTargets, emissions: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """Return -E_p[log q] over whole tag sequences, exact, (batch,); minus p's entropy it is KL(p || q).

        The expectation is linear in p: for averaged soft targets this is the average of the cross-entropies,
        although the average of chains is no chain.

        Args:
            p: Soft targets, computed at the same temperature.
            emissions: Of q, (batch, T, K).
            mask: (batch, T).
            temperature: Every score of q is divided by it.
        """
        emissions = _widen(emissions) / temperature
        weights = self.compute_weights(temperature)
        log_z = compute_log_partition(emissions, *weights, mask.sum(1))
        return log_z - _compute_expected_score(p.unary, p.transitions, emissions, weights, mask)

    def compute_token_distillation(
        self, p: SoftTargets, emissions: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """Return the KL between soft targets' marginals and the tags' under a chain, summed over tokens, (batch,).

        Of averaged soft targets it is the average marginals' divergence, which is less than the mean of the
        teachers' own by a constant. Arguments as for :meth:`compute_cross_entropy`.
        """
        log_q = compute_log_marginals(
            _widen(emissions) / temperature, *self.compute_weights(temperature), mask.sum(1)
        )
        kl = torch.xlogy(p.unary, p.unary) - p.unary * log_q
        return kl.sum(-1).masked_fill(~mask, 0.0).sum(1).to(p.unary.dtype)

    def compute_token_kl(self, p: Tensor, q: Tensor, mask: Tensor, temperature: float = 1.0) -> Tensor:
        """Return the KL between the tags' marginals under two chains, summed over tokens, (batch,).

        Per-token posteriors, as in ITA (Wang et al. 2022) and MoRe: they ignore how adjacent tags depend on each
        other, and are slower, because the gradient is traced through the recursion. p gets no gradient. Arguments
        as for :meth:`compute_sequence_kl`.
        """
        p, q, lengths = _widen(p).detach() / temperature, _widen(q) / temperature, mask.sum(1)
        start, transitions, end = self.compute_weights(temperature)
        log_p = compute_log_marginals(p, start.detach(), transitions.detach(), end.detach(), lengths)
        gap = log_p - compute_log_marginals(q, start, transitions, end, lengths)
        return (log_p.exp() * gap).sum(-1).masked_fill(~mask, 0.0).sum(1).to(q.dtype)


def _compute_expected_score(
    unary: Tensor, counts: Tensor, emissions: Tensor, weights: tuple[Tensor, Tensor, Tensor], mask: Tensor
) -> Tensor:
    """Return the expected score (batch,) under marginals and transition counts of a field with other scores."""
    start, transitions, end = weights
    last = (mask.sum(1) - 1).view(-1, 1, 1).expand(-1, 1, unary.shape[-1])
    local = (unary * emissions.masked_fill(~mask.unsqueeze(-1), 0.0)).sum((1, 2))
    edges = _multiply_rows(unary[:, 0], start) + _multiply_rows(unary.gather(1, last).squeeze(1), end)
    return local + edges + (counts * transitions).sum((1, 2))


def _multiply_rows(rows: Tensor, weights: Tensor) -> Tensor:
    """Return the product (batch,) of rows (batch, K) and weights (K,), in full precision under autocast too."""
    return (rows * weights).sum(-1)


def _widen(emissions: Tensor) -> Tensor:
    """Return emissions in float32 or float64: half precision is too coarse for sums over sequences."""
    return emissions if emissions.dtype == torch.float64 else emissions.float()
