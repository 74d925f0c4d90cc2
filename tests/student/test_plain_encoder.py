"""Encoders without transformers: the same predictions from the same folder, and transformers where they know no family."""

import json
import shutil
from itertools import chain

import pytest
import torch
from torch.testing import assert_close

from cotpd.errors import ModelError
from cotpd.student import Student
from cotpd.student.card import Card
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.persistence import build_model, build_plain_parts, save_model
from cotpd.student.plain_encoder import PlainEncoder
from tests.student.tiny_encoders import FAMILIES, SIZES, save_encoder

LABELS = LabelSet.build("ner", ["PER", "LOC"])
TEXTS = ["ann lives in rome", "bob works at acme with initech and ann . " * 9, "Ünïcode 🛰 [SEP] <s> #rome", "a"]
PLAIN = ("bert", "roberta", "xlm-roberta", "mpnet")


def save_student(family, folder):
    """Save an untrained student of a family's tiny encoder, whose weights are large enough to tell positions apart."""
    kind, special, values = FAMILIES[family]
    encoder = save_encoder(folder / "encoder", kind(**SIZES | values), special)
    torch.manual_seed(1)
    params = StudentParams(encoder=encoder, prompt_length=3, generator_heads=2, max_length=40, knowledge_length=48)
    model, tokenizer, _ = build_model(params, LABELS)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.add_(torch.randn_like(weight) * 0.3)
    save_model(folder / "student", model, tokenizer, Card(labels=LABELS, views=("prompt",), student=params))
    return folder / "student"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A student's folder by the family of its encoder."""
    return {family: save_student(family, tmp_path_factory.mktemp(family)) for family in (*PLAIN, "albert")}


@pytest.mark.parametrize("family", PLAIN)
def test_a_plain_encoder_computes_what_transformers_computes(family, folders):
    reference = Student.from_pretrained(folders[family], "cpu").model.encoder
    encoder = Student.from_pretrained(folders[family], "cpu", only_predicts=True).model.encoder
    mask = torch.ones(3, 90, dtype=torch.long)
    mask[1, 40:] = 0
    embedded = torch.randn(3, 90, 32, generator=torch.Generator().manual_seed(2))

    with torch.inference_mode():
        states = encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state

    assert isinstance(encoder, PlainEncoder)
    with torch.inference_mode():
        expected = reference(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
    assert_close(states[mask.bool()], expected[mask.bool()])


@pytest.mark.parametrize("family", [*PLAIN, "albert"])
def test_a_student_that_only_predicts_predicts_the_same(family, folders):
    expected = Student.from_pretrained(folders[family], "cpu").predict(TEXTS)

    predictions = Student.from_pretrained(folders[family], "cpu", only_predicts=True).predict(TEXTS)

    mentions, others = list(chain.from_iterable(predictions)), list(chain.from_iterable(expected))
    assert [mention._replace(score=0) for mention in mentions] == [mention._replace(score=0) for mention in others]
    assert [mention.score for mention in mentions] == pytest.approx(
        [mention.score for mention in others], abs=1e-5
    )


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("encoder/config.json", {"hidden_act": "relu"}),
        ("encoder/config.json", {"position_embedding_type": "relative_key"}),
        ("tokenizer/tokenizer_config.json", {"mask_token": None}),
        ("tokenizer/tokenizer_config.json", {"backend": "custom"}),
    ],
)
def test_what_a_plain_encoder_does_not_know_is_left_to_transformers(folders, tmp_path, file, values):
    folder = shutil.copytree(folders["bert"], tmp_path / "student")
    content = json.loads((folder / file).read_text("utf-8")) | values
    (folder / file).write_text(json.dumps(content), "utf-8")

    parts = build_plain_parts(folder)

    assert parts is None


def test_a_student_that_only_predicts_is_not_saved(folders, tmp_path):
    student = Student.from_pretrained(folders["bert"], "cpu", only_predicts=True)

    with pytest.raises(ModelError, match="loaded to predict only"):
        student.save(tmp_path / "copy")

    assert not (tmp_path / "copy").exists()
