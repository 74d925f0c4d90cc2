"""What turns encoder states into labels: a CRF over first sub-words (NER), a classifier over marker states (RE).

Trade-off: both answer to the same four calls (scores, loss, kl, decode), so that training and prediction know
nothing of the task; the classifier is handed a mask that it has no use for.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cotpd.config import DistilParams
from cotpd.student.crf import Belief, LinearChainCRF
from cotpd.student.labels import LabelSet


class Found(NamedTuple):
    """A predicted mention in tokens, or, in an RE prediction, a relation (start and end are then zero)."""

    start: int
    end: int
    label: str
    score: float


class NerHead(nn.Module):
    """A linear layer and a linear-chain CRF.

    Args:
        width: Of the encoder's states.
        labels: BIO tags.
        constrained: Forbid tag sequences that BIO does not allow.
        dropout: Before the linear layer.
    """

    continuations: Tensor

    def __init__(self, width: int, labels: LabelSet, constrained: bool, dropout: float) -> None:
        super().__init__()
        self.labels = labels
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(labels.names))
        self.crf = LinearChainCRF(len(labels.names), torch.tensor(labels.successors()) if constrained else None)
        self.register_buffer("continuations", torch.tensor(labels.continuations()), persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """Emissions (batch, T, K) of states (batch, T, d)."""
        return self.linear(self.dropout(states)).float()

    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Mean negative log-likelihood of a post."""
        return self.crf.nll(scores, targets, mask).mean()

    def kl(self, knowledge: Tensor, prompt: Tensor, mask: Tensor, distil: DistilParams) -> Tensor:
        """Mean KL(knowledge || prompt) of a post, times the squared temperature (Hinton et al. 2015)."""
        measure = self.crf.sequence_kl if distil.kl == "sequence" else self.crf.token_kl
        return measure(knowledge, prompt, mask, distil.temperature).mean() * distil.temperature**2

    def belief(self, scores: Tensor, mask: Tensor, temperature: float) -> Belief:
        """What the scores say of each post, for a student to be taught; without gradient."""
        return self.crf.belief(scores, mask, temperature)

    def taught(self, belief: Belief, scores: Tensor, mask: Tensor, temperature: float) -> Tensor:
        """Mean KL(belief || student) of a post, times the squared temperature."""
        gap = self.crf.cross_entropy(belief, scores, mask, temperature) - belief.entropy
        return gap.mean() * temperature**2

    @torch.no_grad()
    def decode(self, scores: Tensor, mask: Tensor, temperature: float = 1.0) -> list[list[Found]]:
        """Mentions on the best path. A score is the exact probability that just this mention stands there.

        The temperature changes these probabilities and no mention.

        The posterior of a chain is a Markov chain, so that the probability of tags a..b, and of no continuation
        after them, is a product of conditional probabilities.
        """
        path = self.crf.viterbi(scores, mask)[0]
        here, rows = self.crf.along(scores, path, mask, temperature)
        goes_on = rows.gather(2, self.continuations[path[:, :-1], None]).squeeze(2)
        follows = rows.gather(2, path[:, 1:, None]).squeeze(2)
        columns = (mask.sum(1), path, here, follows, 1 - goes_on)
        found: list[list[Found]] = []
        for length, tags, begins, steps, ends in zip(*(column.tolist() for column in columns), strict=True):
            found.append([])
            for start, end, kind in self.labels.spans(tags[:length]):
                score = begins[start] * math.prod(steps[start : end - 1]) * (ends[end - 1] if end < length else 1)
                found[-1].append(Found(start, end, kind, score))
        return found


class ReHead(nn.Module):
    """A classifier over the concatenated states of the two opening markers (Baldini Soares et al. 2019).

    Args:
        width: Of the encoder's states.
        labels: Relations.
        dropout: Before the linear layers.
    """

    def __init__(self, width: int, labels: LabelSet, dropout: float) -> None:
        super().__init__()
        self.labels = labels
        self.classify = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Tanh(),
            nn.Dropout(dropout),
            nn.Linear(width, len(labels.names)),
        )

    def forward(self, states: Tensor) -> Tensor:
        """Logits (batch, R) of marker states (batch, 2, d)."""
        return self.classify(states.flatten(1)).float()

    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Mean cross-entropy of a pair."""
        return functional.cross_entropy(scores, targets[:, 0])

    def kl(self, knowledge: Tensor, prompt: Tensor, mask: Tensor, distil: DistilParams) -> Tensor:
        """Mean KL(knowledge || prompt) of a pair, times the squared temperature."""
        p, q = knowledge.detach() / distil.temperature, prompt / distil.temperature
        log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1).mean() * distil.temperature**2

    @torch.no_grad()
    def belief(self, scores: Tensor, mask: Tensor, temperature: float) -> Belief:
        """Each pair's distribution over relations: a chain of one position, without transitions."""
        log_p = (scores / temperature).log_softmax(-1)
        return Belief(log_p.exp().unsqueeze(1), log_p.new_zeros(len(log_p), 0, 0), -(log_p.exp() * log_p).sum(-1))

    def taught(self, belief: Belief, scores: Tensor, mask: Tensor, temperature: float) -> Tensor:
        """Mean KL(belief || student) of a pair, times the squared temperature."""
        log_q = (scores / temperature).log_softmax(-1)
        gap = -(belief.unary[:, 0] * log_q).sum(-1) - belief.entropy
        return gap.mean() * temperature**2

    @torch.no_grad()
    def decode(self, scores: Tensor, mask: Tensor, temperature: float = 1.0) -> list[list[Found]]:
        """The most probable relation of each pair and its probability at a temperature."""
        best, at = (scores / temperature).softmax(-1).max(-1)
        names = self.labels.names
        return [[Found(0, 0, names[i], p)] for i, p in zip(at.tolist(), best.tolist(), strict=True)]


def make_head(width: int, labels: LabelSet, constrained: bool, dropout: float) -> NerHead | ReHead:
    """The head of a task."""
    if labels.task == "ner":
        return NerHead(width, labels, constrained, dropout)
    return ReHead(width, labels, dropout)
