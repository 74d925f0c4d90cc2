"""Tiny encoders of several families, written to disk as a user would have them, and posts to train on."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AlbertConfig,
    AutoConfig,
    AutoModel,
    BertConfig,
    DebertaConfig,
    DebertaV2Config,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
    XLMRobertaConfig,
)

from cotpd.data.records import Entity, Kind, Post, Relation
from cotpd.data.tokenization import tokenize
from cotpd.student.examples import Example, build_examples
from cotpd.student.params import StudentParams, TrainParams

WORDS = [
    "ann",
    "bob",
    "lives",
    "works",
    "in",
    "at",
    "rome",
    "paris",
    "acme",
    "initech",
    "with",
    "and",
    "the",
    "a",
    ".",
    "#",
    "##s",
    "picture",
    "of",
    "about",
    "is",
    "city",
    "firm",
]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 96,
}


def _save(folder: Path, config, special: dict[str, str]) -> str:
    vocab = {word: at for at, word in enumerate([*special.values(), *WORDS])}
    inner = Tokenizer(models.WordPiece(vocab, unk_token=special["unk_token"]))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pair = [(special[f"{name}_token"], vocab[special[f"{name}_token"]]) for name in ("sep", "cls")]
    inner.post_processor = processors.BertProcessing(*pair)
    PreTrainedTokenizerFast(tokenizer_object=inner, **special).save_pretrained(folder)
    config.vocab_size = len(vocab)
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    assert AutoConfig.from_pretrained(folder).model_type == config.model_type
    return str(folder)


def _name_tokens(*names: str) -> dict[str, str]:
    return dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), names, strict=True))


BRACKETS = _name_tokens("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ANGLES = {
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": "<mask>",
}


# RoBERTa, XLM-R and MPNet count positions from the padding id, which is 1 in all of them; ALBERT's embeddings are narrow
FAMILIES = {
    "bert": (BertConfig, BRACKETS, {}),
    "roberta": (RobertaConfig, ANGLES, {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "xlm-roberta": (XLMRobertaConfig, ANGLES, {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "mpnet": (MPNetConfig, ANGLES, {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "deberta-v1": (DebertaConfig, BRACKETS, {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "deberta": (DebertaV2Config, BRACKETS, {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}),
    "modernbert": (ModernBertConfig, BRACKETS, {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3}),
    "albert": (AlbertConfig, BRACKETS, {"embedding_size": 16}),
}


@pytest.fixture(scope="session", params=FAMILIES)
def any_encoder(request, tmp_path_factory) -> str:
    kind, special, options = FAMILIES[request.param]
    return _save(tmp_path_factory.mktemp(request.param), kind(**SIZES, **options), special)


@pytest.fixture(scope="session")
def bert(tmp_path_factory) -> str:
    return _save(tmp_path_factory.mktemp("bert"), BertConfig(**SIZES), BRACKETS)


def make_post(number: int, text: str, spans: list[tuple[str, str]], relation: str | None = None) -> Post:
    """A post whose mentions are named by their text; the first two are the relation's head and tail."""
    tokens = tokenize(text)
    words = [token.text for token in tokens]
    entities = [Entity(start=words.index(word), end=words.index(word) + 1, type=kind) for word, kind in spans]
    return Post(
        id=f"p{number}",
        text=text,
        tokens=words,
        offsets=[(token.start, token.end) for token in tokens],
        entities=entities,
        relations=[Relation(head=0, tail=1, label=relation)] if relation else [],
        file="posts.jsonl",
        line=number + 1,
    )


def make_posts(count: int) -> list[Post]:
    """Posts that a tiny encoder can learn by heart: who lives where, and who works for whom."""
    posts = []  # all of one length: batches go by length, and must not go by label
    for at in range(count):
        person = ("ann", "bob")[at % 2]
        if at % 3:
            city = ("rome", "paris")[at // 2 % 2]
            posts.append(
                make_post(at, f"{person} lives in {city} .", [(person, "PER"), (city, "LOC")], "lives_in")
            )
        else:
            firm = ("acme", "initech")[at // 2 % 2]
            posts.append(make_post(at, f"{person} works at {firm} .", [(person, "PER"), (firm, "ORG")], "None"))
    return posts


@pytest.fixture
def posts() -> list[Post]:
    return make_posts(12)


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
