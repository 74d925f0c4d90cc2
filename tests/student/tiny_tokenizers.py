"""Tokenizers of a few hundred sub-words: byte-level BPE and Unigram."""

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.student.tiny_encoders import ANGLES, WORDS

CORPUS = [
    *WORDS,
    "ann lives in rome .",
    "bob works at acme with initech",
    "Ünïcode wörds, naïve café 東京 🛰 #rome @ann",
]


def make_byte_level() -> Tokenizer:
    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = list(ANGLES.values())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    return inner


def make_unigram() -> Tokenizer:
    inner = Tokenizer(models.Unigram())
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    special = list(ANGLES.values())
    inner.train_from_iterator(
        CORPUS,
        trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False),
    )
    return inner
