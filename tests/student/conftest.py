"""Tiny encoders of several families, and posts and parameters to train them with."""

import json
import shutil

import pytest
from transformers import BertConfig

from cotpd.data.records import Kind, Post
from cotpd.student.examples import Example, build_examples
from cotpd.student.params import StudentParams, TrainParams
from tests.builders import build_posts
from tests.student.tiny_encoders import BRACKETS, FAMILIES, SIZES, save_encoder


@pytest.fixture(scope="session", params=FAMILIES)
def any_encoder(request, tmp_path_factory) -> str:
    kind, special, options = FAMILIES[request.param]
    return save_encoder(tmp_path_factory.mktemp(request.param), kind(**SIZES, **options), special)


@pytest.fixture(scope="session")
def bert(tmp_path_factory) -> str:
    return save_encoder(tmp_path_factory.mktemp("bert"), BertConfig(**SIZES), BRACKETS)


@pytest.fixture
def posts() -> list[Post]:
    return build_posts(12)


@pytest.fixture
def ner_examples(posts) -> list[Example]:
    captions = {post.id: "a picture of the city" for post in posts}
    knowledge = {post.id: {Kind.NOUN: "acme is a firm", Kind.SENTENCE: "about the city"} for post in posts}
    return build_examples(posts, "ner", captions, knowledge)


@pytest.fixture
def re_examples(posts) -> list[Example]:
    return build_examples(posts, "re", {}, {})


@pytest.fixture
def small(bert) -> StudentParams:
    return StudentParams(
        encoder=bert, prompt_length=3, generator_heads=2, max_length=40, knowledge_length=48, dropout=0.0
    )


@pytest.fixture
def brief() -> TrainParams:
    # in single precision, or a CPU with units for bfloat16 would be tested for other numbers than one without
    return TrainParams(
        epochs=2, batch_size=4, learning_rate=5e-3, head_learning_rate=2e-2, device="cpu", bf16="off"
    )


@pytest.fixture
def still(small, tmp_path):
    """A student without any dropout: processes and parts draw it each for themselves."""
    folder = shutil.copytree(small.encoder, tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    return small.model_copy(update={"encoder": str(folder)})
