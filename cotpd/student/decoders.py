"""Decoding the scores of an exported student in NumPy, as the heads decode them in torch.

Trade-off: the recursions of :mod:`cotpd.student.chain` a second time, without gradients, batches of equal cost or
GPUs; in exchange an exported student needs no torch. A test compares the two.
"""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from cotpd.student.labels import LabelSet
from cotpd.student.tasks import Predicted, PredictedLabel, PredictedMention
from cotpd.student.viterbi import search_both_ends

Array = np.ndarray
_LEAST = 1e-200  # a product of scaled messages below it may have underflowed in part


class Decoder(Protocol):
    """Turns the scores of an exported graph into predictions."""

    def decode(self, scores: Array, mask: Array, temperature: float = 1.0) -> list[list[Predicted]]:
        """Return each example's predictions; the temperature changes their scores alone."""
        ...


class MentionDecoder:
    """The best path of a linear-chain CRF, and the exact probability of each mention on it.

    Args:
        labels: BIO tags.
        start, transitions, end: Scores of the chain, penalties included: (K,), (K, K) from row to column, (K,).
    """

    def __init__(self, labels: LabelSet, start: Array, transitions: Array, end: Array) -> None:
        self.labels = labels
        self.weights = _divide_weights((start, transitions, end), 1.0)
        self.continuations = np.asarray(labels.list_continuations())

    def decode(self, scores: Array, mask: Array, temperature: float = 1.0) -> list[list[Predicted]]:
        """Return the mentions on the best path of emissions (B, T, K), mask (B, T)."""
        lengths = mask.sum(1)
        path = search_both_ends(np, scores, *self.weights, lengths)[0].T  # (B, T)
        weights = _divide_weights(self.weights, temperature)
        at_path, next_tags = compute_path_probabilities(scores / temperature, *weights, lengths, path)

        follows = np.take_along_axis(next_tags, path[:, 1:, None], 2)[..., 0]  # (B, T - 1): the path's next tag
        goes_on = np.take_along_axis(next_tags, self.continuations[path[:, :-1], None], 2)[..., 0]
        columns = (lengths, path, at_path, follows, 1 - goes_on)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [collect_mentions(self.labels, *row) for row in rows]


def _divide_weights(weights: tuple[Array, Array, Array], temperature: float) -> tuple[Array, Array, Array]:
    """Return start, transitions and end in single precision, divided by a temperature."""
    start, transitions, end = weights
    return (
        np.asarray(start / temperature, np.float32),
        np.asarray(transitions / temperature, np.float32),
        np.asarray(end / temperature, np.float32),
    )


class LabelDecoder:
    """The most probable label of each pair.

    Args:
        labels: The inventory.
    """

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels

    def decode(
        self,
        scores: Array,
        mask: Array,  # noqa: ARG002  a pair has no padding
        temperature: float = 1.0,
    ) -> list[list[Predicted]]:
        """Return the best label by logits (B, K), and its probability."""
        scores = scores / np.float32(temperature)
        indices = scores.argmax(-1)
        probabilities = 1 / np.exp(scores - scores.max(-1, keepdims=True)).sum(-1)
        names = self.labels.names
        return [
            [PredictedLabel(names[index], probability)]
            for index, probability in zip(indices.tolist(), probabilities.tolist(), strict=True)
        ]


class PostDecoder(LabelDecoder):
    """The most probable label of each post, whose words' scores are averaged."""

    def decode(self, scores: Array, mask: Array, temperature: float = 1.0) -> list[list[Predicted]]:
        """Return the best label by scores (B, T, K), mask (B, T), and its probability."""
        weights = mask[..., None].astype(np.float32)  # (B, T, 1)
        return super().decode((scores * weights).sum(1) / weights.sum(1), mask, temperature)


def collect_mentions(
    labels: LabelSet,
    length: int,
    tags: Sequence[int],
    begins: Sequence[float],
    steps: Sequence[float],
    ends: Sequence[float],
) -> list[Predicted]:
    """Return the mentions of one post's best path, each with the probability that just it stands there.

    Args:
        labels: BIO tags.
        length: Words of the post; what lies beyond it in the sequences is padding.
        tags: The path.
        begins: The probability of each of its tags.
        steps: The probability of each next tag, given the tag before it.
        ends: The probability that the mention of each tag does not go on.
    """
    mentions: list[Predicted] = []
    for start, end, kind in labels.decode_spans(tags[:length]):
        score = begins[start] * math.prod(steps[start : end - 1]) * (ends[end - 1] if end < length else 1)
        mentions.append(PredictedMention(start, end, kind, score))
    return mentions


def compute_path_probabilities(
    emissions: Array, start: Array, transitions: Array, end: Array, lengths: Array, tags: Array
) -> tuple[Array, Array]:
    """Return the probabilities of the tags of given sequences, and of each next tag.

    Args:
        emissions: (B, T, K); values beyond a length are ignored.
        start, transitions, end: (K,), (K, K) from row to column, (K,).
        lengths: (B,), each at least 1.
        tags: (B, T).

    Returns:
        p(y_t = tags[t]), (B, T), and p(y_{t+1} = j | y_t = tags[t]), (B, T - 1, K).
    """
    inside = np.arange(emissions.shape[1]) < lengths[:, None]
    emissions = np.where(inside[..., None], emissions, 0.0).astype(np.float64)
    weights = (weight.astype(np.float64) for weight in (start, transitions, end))
    chains = (emissions, *weights, lengths)
    forward, backward, is_sound = _pass_scaled(*chains)
    if not is_sound:
        forward, backward = _pass_logarithmic(*chains)
    at_path = np.take_along_axis(_normalize(forward + backward), tags[..., None], 2)[..., 0]
    following = transitions[tags[:, :-1]] + emissions[:, 1:] + backward[:, 1:]
    return at_path, _normalize(following)


def _normalize(logs: Array) -> Array:
    """Return probabilities along the last dimension, of logarithms up to a constant."""
    weights = np.exp(logs - logs.max(-1, keepdims=True))
    normalized: Array = weights / weights.sum(-1, keepdims=True)
    return normalized


def _pass_scaled(
    emissions: Array, start: Array, transitions: Array, end: Array, lengths: Array
) -> tuple[Array, Array, bool]:
    """Return the logarithms of forward and backward messages, (B, T, K) each up to constants of a position.

    Forward messages include the emission, backward ones do not. The flag is False if a product may have
    underflowed.
    """
    emit = np.exp(emissions - emissions.max(-1, keepdims=True))
    link = np.exp(transitions - transitions.max())
    edge = np.exp(end - end.max())
    is_before_end = np.arange(emissions.shape[1]) < lengths[:, None] - 1  # (B, T)
    forward, backward = np.empty_like(emit), np.empty_like(emit)

    forward[:, 0] = _scale(np.exp(start - start.max()) * emit[:, 0])
    backward[:, -1] = edge
    for t in range(1, emit.shape[1]):
        forward[:, t] = _scale(forward[:, t - 1] @ link * emit[:, t])
        passed = _scale((backward[:, -t] * emit[:, -t]) @ link.T)
        backward[:, -t - 1] = np.where(is_before_end[:, -t - 1, None], passed, edge)

    is_sound = bool(((forward * backward).sum(-1) > _LEAST).all())
    with np.errstate(divide="ignore"):  # a tag that cannot stand there
        return np.log(forward), np.log(backward), is_sound


def _scale(messages: Array) -> Array:
    """Return messages (B, K) that sum to 1; zeros where they have underflowed."""
    scaled: Array = messages / np.maximum(messages.sum(-1, keepdims=True), np.finfo(np.float64).tiny)
    return scaled


def _pass_logarithmic(
    emissions: Array, start: Array, transitions: Array, end: Array, lengths: Array
) -> tuple[Array, Array]:
    """Return what :func:`_pass_scaled` returns, computed in log space: slower, and never underflows."""
    is_before_end = np.arange(emissions.shape[1]) < lengths[:, None] - 1
    forward, backward = np.empty_like(emissions), np.empty_like(emissions)
    forward[:, 0], backward[:, -1] = start + emissions[:, 0], end
    for t in range(1, emissions.shape[1]):
        forward[:, t] = _add_logs(forward[:, t - 1, :, None] + transitions, 1) + emissions[:, t]
        passed = _add_logs((backward[:, -t] + emissions[:, -t])[:, None] + transitions, 2)
        backward[:, -t - 1] = np.where(is_before_end[:, -t - 1, None], passed, end)
    return forward, backward


def _add_logs(logs: Array, axis: int) -> Array:
    """Return the logarithm of the sum of exponentials along a dimension."""
    peaks = logs.max(axis, keepdims=True)
    sums: Array = np.log(np.exp(logs - peaks).sum(axis)) + peaks.squeeze(axis)
    return sums
