"""Encoders with the tokenizer of their kind: byte-level BPE (RoBERTa, ModernBERT), Unigram (XLM-R, DeBERTa)."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    AutoModel,
    DebertaV2Config,
    ModernBertConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from cotpd.student import Student
from cotpd.student.examples import build_text_example
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning, JointDistillation
from cotpd.student.params import DistilParams
from cotpd.student.persistence import build_model
from cotpd.student.training import train
from tests.student.tiny_encoders import ANGLES, SIZES
from tests.student.tiny_tokenizers import make_byte_level, make_unigram

WORD = st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=4)


KINDS = {
    "roberta": (make_byte_level, RobertaConfig, {"pad_token_id": 1}),
    "modernbert": (make_byte_level, ModernBertConfig, {"pad_token_id": 1, "cls_token_id": 0, "sep_token_id": 2}),
    "xlm-roberta": (make_unigram, XLMRobertaConfig, {"pad_token_id": 1}),
    "deberta": (
        make_unigram,
        DebertaV2Config,
        {"relative_attention": True, "pos_att_type": ["c2p"], "pad_token_id": 1},
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def encoder(request, tmp_path_factory) -> Path:
    make, config, options = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    inner = make()
    PreTrainedTokenizerFast(tokenizer_object=inner, **ANGLES).save_pretrained(folder)
    torch.manual_seed(0)
    AutoModel.from_config(config(**SIZES, vocab_size=inner.get_vocab_size(), **options)).save_pretrained(folder)
    return folder


@pytest.fixture
def params(small, encoder):
    return small.model_copy(update={"encoder": str(encoder)})


@pytest.mark.parametrize("objective", [FineTuning(), JointDistillation(DistilParams())])
def test_it_learns_is_saved_and_labels_characters(objective, params, brief, ner_examples, tmp_path):
    longer = brief.model_copy(update={"epochs": 14})
    settings = {"task": "ner", "types": ["PER", "LOC", "ORG"], "student": params, "params": longer}

    history = train(ner_examples, ner_examples, objective=objective, seed=3, out=tmp_path / "m", **settings)

    assert max(next(iter(row["valid"].values()))["f1"] for row in history) > 60
    text = "bob works at acme"
    (mentions,) = Student.from_pretrained(tmp_path / "m", "cpu").predict([text])
    assert mentions
    assert all(
        mention.text == text[mention.start : mention.end] and mention.text in text.split() for mention in mentions
    )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.lists(WORD, min_size=1, max_size=4))
def test_words_cut_one_by_one_are_the_text_cut_as_a_whole(words, params):
    """And each word's state is read at its first sub-word, where word_ids() has it."""
    learner = _build_learner(params.model_copy(update={"max_length": 90}))
    text = " ".join(words)
    example = build_text_example(text)
    whole = learner.tokenizer(text, add_special_tokens=False)
    if [token for token, _ in zip(text.split(" "), example.tokens, strict=False)] != list(example.tokens):
        return  # our words are finer than spaces: sub-words cannot be compared

    (encoded,) = learner.example_encoder.encode([example])

    (window,) = encoded.windows
    assert window.tolist() == whole["input_ids"]

    spans = learner.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]

    # a piece may begin with the space before its word, or be that space
    firsts = [
        next(at for at, (low, high) in enumerate(spans) if low >= start - 1 and high > start - (start > 0))
        for start, _ in example.offsets
    ]
    assert encoded.position_of_state.tolist() == firsts


def _build_learner(params) -> Student:
    model, tokenizer, reads = build_model(params, LabelSet.build("ner", ["PER"]))
    return Student(model, tokenizer, params, ("text",), reads, "cpu")
