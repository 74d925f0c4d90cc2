"""The last layers, from encoder states to labels: a CRF over first sub-words (NER), a softmax of a pair or post.

Trade-off: all have the same methods (scores, loss, KL, soft targets, decoding), so that training and prediction
do not depend on the task; the classifier of pairs is handed a mask that it has no use for.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from cotpd.student.crf import LinearChainCRF, SoftTargets
from cotpd.student.decoders import collect_mentions
from cotpd.student.labels import LabelSet
from cotpd.student.params import DistilParams
from cotpd.student.tasks import Predicted, PredictedLabel


class Head(nn.Module, ABC):
    """Scores, losses and labels of one task. B is the number of examples, T that of states, K that of outputs."""

    labels: LabelSet

    @abstractmethod
    def compute_loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Return the task's loss, a mean over the examples, ()."""

    @abstractmethod
    def compute_kl(self, knowledge: Tensor, prompt: Tensor, mask: Tensor, distil: DistilParams) -> Tensor:
        """Return KL(knowledge || prompt) of two views' scores, a mean over the examples, ().

        The knowledge side gets no gradient. The KL is multiplied by the squared temperature (Hinton et al. 2015).
        """

    @abstractmethod
    def compute_soft_targets(self, scores: Tensor, mask: Tensor, temperature: float) -> SoftTargets:
        """Return a teacher's distribution over each example's labels, without gradient."""

    @abstractmethod
    def compute_distillation_loss(
        self, targets: SoftTargets, scores: Tensor, mask: Tensor, distil: DistilParams
    ) -> Tensor:
        """Return KL(teacher || student), a mean over the examples, (), times the squared temperature."""

    @abstractmethod
    def count_target_positions(self, mask: Tensor) -> list[int]:
        """Return how many positions of each example's soft targets are filled."""

    @torch.no_grad()
    def compute_log_probabilities(
        self, scores: Tensor, targets: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """Return the log-probability of each example's labels, (B,); here of one label an example."""
        unary = self.compute_soft_targets(scores, mask, temperature).unary[:, 0]
        return unary.gather(1, targets[:, :1]).squeeze(1).log()

    @abstractmethod
    def decode(self, scores: Tensor, mask: Tensor, temperature: float = 1.0) -> list[list[Predicted]]:
        """Return each example's predictions; the temperature changes their scores alone."""


class NerHead(Head):
    """A linear layer and a linear-chain CRF.

    Args:
        width: The width of the encoder's states.
        labels: BIO tags.
        constrained: Forbid tag sequences that BIO does not allow.
        dropout: Before the linear layer.
    """

    continuations: Tensor  # (K,): the tag that continues each tag's mention

    def __init__(self, width: int, labels: LabelSet, constrained: bool, dropout: float) -> None:
        super().__init__()
        self.labels = labels
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(labels.names))
        allowed = torch.tensor(labels.list_successors()) if constrained else None
        self.crf = LinearChainCRF(len(labels.names), allowed)
        self.register_buffer("continuations", torch.tensor(labels.list_continuations()), persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """Return emissions (B, T, K) of states (B, T, d)."""
        emissions: Tensor = self.linear(self.dropout(states))
        return emissions.float()

    def compute_loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of a post."""
        return self.crf.compute_nll(scores, targets, mask).mean()

    def compute_kl(self, knowledge: Tensor, prompt: Tensor, mask: Tensor, distil: DistilParams) -> Tensor:
        """Return the mean KL of a post, over whole tag sequences or over single tokens, as ``distil`` says."""
        measure = self.crf.compute_sequence_kl if distil.kl == "sequence" else self.crf.compute_token_kl
        return measure(knowledge, prompt, mask, distil.temperature).mean() * distil.temperature**2

    def compute_soft_targets(self, scores: Tensor, mask: Tensor, temperature: float) -> SoftTargets:
        """Return the marginals, expected transitions and entropy of each post's tag sequences."""
        return self.crf.compute_soft_targets(scores, mask, temperature)

    def compute_distillation_loss(
        self, targets: SoftTargets, scores: Tensor, mask: Tensor, distil: DistilParams
    ) -> Tensor:
        """Return the mean KL of a post, over whole tag sequences or over single tokens, as ``distil`` says."""
        if distil.kl == "token":
            kl = self.crf.compute_token_distillation(targets, scores, mask, distil.temperature)
        else:
            kl = self.crf.compute_cross_entropy(targets, scores, mask, distil.temperature) - targets.entropy
        return kl.mean() * distil.temperature**2

    def count_target_positions(self, mask: Tensor) -> list[int]:
        """Return the length of each post in words."""
        lengths: list[int] = mask.sum(1).tolist()
        return lengths

    def compute_log_probabilities(
        self, scores: Tensor, targets: Tensor, mask: Tensor, temperature: float = 1.0
    ) -> Tensor:
        """Return the log-probability of each post's whole tag sequence, (B,)."""
        return self.crf.compute_log_probabilities(scores, targets, mask, temperature)

    @torch.no_grad()
    def decode(self, scores: Tensor, mask: Tensor, temperature: float = 1.0) -> list[list[Predicted]]:
        """Return the mentions on the best path, each with the exact probability that just it stands there.

        The posterior of a chain is a Markov chain, so that the probability of tags a..b, and of no continuation
        after them, is a product of conditional probabilities.
        """
        path = self.crf.decode_viterbi(scores, mask)[0]
        at_path, next_tags = self.crf.compute_path_probabilities(scores, path, mask, temperature)
        follows = next_tags.gather(2, path[:, 1:, None]).squeeze(2)  # (B, T - 1): the path's next tag
        continues = next_tags.gather(2, self.continuations[path[:, :-1], None]).squeeze(2)  # the mention goes on
        columns = (mask.sum(1), path, at_path, follows, 1 - continues)

        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [collect_mentions(self.labels, *row) for row in rows]


class LabelHead(Head):
    """A softmax over the labels of each example; a subclass says how its scores become logits."""

    @abstractmethod
    def pool_scores(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, K)."""

    def compute_loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Return the mean cross-entropy of an example."""
        return functional.cross_entropy(self.pool_scores(scores, mask), targets[:, 0])

    def compute_kl(self, knowledge: Tensor, prompt: Tensor, mask: Tensor, distil: DistilParams) -> Tensor:
        """Return the mean KL of an example."""
        knowledge, prompt = self.pool_scores(knowledge.detach(), mask), self.pool_scores(prompt, mask)
        p, q = knowledge / distil.temperature, prompt / distil.temperature
        log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1).mean() * distil.temperature**2

    @torch.no_grad()
    def compute_soft_targets(self, scores: Tensor, mask: Tensor, temperature: float) -> SoftTargets:
        """Return each example's distribution over labels: a chain of one position, without transitions."""
        log_p = (self.pool_scores(scores, mask) / temperature).log_softmax(-1)
        entropy = -(log_p.exp() * log_p).sum(-1)
        return SoftTargets(log_p.exp().unsqueeze(1), log_p.new_zeros(len(log_p), 0, 0), entropy)

    def compute_distillation_loss(
        self, targets: SoftTargets, scores: Tensor, mask: Tensor, distil: DistilParams
    ) -> Tensor:
        """Return the mean KL of an example."""
        log_q = (self.pool_scores(scores, mask) / distil.temperature).log_softmax(-1)
        kl = -(targets.unary[:, 0] * log_q).sum(-1) - targets.entropy
        return kl.mean() * distil.temperature**2

    def count_target_positions(self, mask: Tensor) -> list[int]:
        """Return 1 for each example, whose distribution is a chain of one position."""
        return [1] * len(mask)

    @torch.no_grad()
    def decode(self, scores: Tensor, mask: Tensor, temperature: float = 1.0) -> list[list[Predicted]]:
        """Return the most probable label of each example, and its probability."""
        probabilities, indices = (self.pool_scores(scores, mask) / temperature).softmax(-1).max(-1)
        names = self.labels.names
        return [
            [PredictedLabel(names[index], probability)]
            for index, probability in zip(indices.tolist(), probabilities.tolist(), strict=True)
        ]


class PostHead(LabelHead):
    """A linear layer over each word's state; the mean over the words is the post's score.

    Args:
        width: The width of the encoder's states.
        labels: The labels of posts.
        dropout: Before the linear layer.
    """

    def __init__(self, width: int, labels: LabelSet, dropout: float) -> None:
        super().__init__()
        self.labels = labels
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, len(labels.names))

    def forward(self, states: Tensor) -> Tensor:
        """Return each word's scores (B, T, K) of states (B, T, d)."""
        scores: Tensor = self.linear(self.dropout(states))
        return scores.float()

    def pool_scores(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Return the mean over a post's words, (B, K)."""
        weights = mask.unsqueeze(-1).to(scores.dtype)  # (B, T, 1)
        return (scores * weights).sum(1) / weights.sum(1)


class ReHead(LabelHead):
    """A classifier over the concatenated states of the two opening markers (Baldini Soares et al. 2019).

    Args:
        width: The width of the encoder's states.
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
        """Return logits (B, K) of marker states (B, 2, d)."""
        logits: Tensor = self.classify(states.flatten(1))
        return logits.float()

    def pool_scores(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Return the logits as they are."""
        return scores
