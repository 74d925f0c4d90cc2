"""Decoding in NumPy gives what the heads give in torch, without which an exported student decodes."""

from itertools import chain
from operator import attrgetter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cotpd.student.decoders import LabelDecoder, MentionDecoder
from cotpd.student.heads import NerHead, ReHead
from cotpd.student.labels import LabelSet

NER = LabelSet.build("ner", ("PER", "LOC", "ORG"))
RE = LabelSet.build("re", ("None", "lives_in", "member"))


def make_head(seed: int, constrained: bool = True) -> NerHead:
    torch.manual_seed(seed)
    head = NerHead(4, NER, constrained, 0.0).requires_grad_(False)
    for weights in (head.crf.start, head.crf.end, head.crf.transitions):
        weights.normal_()
    return head


def make_decoder(head: NerHead) -> MentionDecoder:
    return MentionDecoder(NER, *(weight.numpy() for weight in head.crf.compute_weights()))


def list_targets(predictions) -> list[list]:
    return [list(map(attrgetter("target"), row)) for row in predictions]


def list_scores(predictions) -> list[float]:
    return list(map(attrgetter("score"), chain.from_iterable(predictions)))


@settings(max_examples=80, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([0.1, 1.0, 10.0, 400.0, 3000.0]),  # the last two underflow float64 probabilities
    temperature=st.sampled_from([0.5, 1.0, 1.7]),
    constrained=st.booleans(),
)
def test_mentions_and_their_probabilities_are_those_of_the_head(lengths, seed, scale, temperature, constrained):
    head = make_head(seed, constrained)
    scores = torch.randn(len(lengths), max(lengths), len(NER.names)) * scale
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]

    expected = head.decode(scores, mask, temperature)
    decoded = make_decoder(head).decode(scores.numpy(), mask.numpy(), temperature)

    assert list_targets(decoded) == list_targets(expected)
    assert list_scores(decoded) == pytest.approx(list_scores(expected), abs=1e-6)


def test_padding_changes_no_mention() -> None:
    decoder = make_decoder(make_head(3))
    scores = np.random.default_rng(0).normal(size=(1, 12, len(NER.names))).astype(np.float32) * 3
    mask = np.arange(12)[None] < 7

    padded, alone = decoder.decode(scores, mask), decoder.decode(scores[:, :7], mask[:, :7])

    assert padded == alone


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_relations_and_their_probabilities_are_those_of_the_head(temperature) -> None:
    head = ReHead(4, RE, 0.0)
    logits = torch.randn(20, 3) * 5
    mask = torch.ones(20, 2, dtype=torch.bool)

    expected = head.decode(logits, mask, temperature)
    decoded = LabelDecoder(RE).decode(logits.numpy(), mask.numpy(), temperature)

    assert [row[0].label for row in decoded] == [row[0].label for row in expected]
    assert [row[0].score for row in decoded] == pytest.approx([row[0].score for row in expected], abs=1e-6)
