"""Observations of scored posts: figures of each, and no text."""

import hashlib
import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeVar

from cotpd.data.records import Record
from cotpd.data.tokenization import tokenize

T = TypeVar("T")
MOST_POSTS = 20_000  # that are compared; of a larger window a seeded sample
FIRST_WORDS = 8
_HASH_BYTES = 6  # of a word in a vocabulary: two of 100,000 words share a hash once in 60,000 vocabularies


class Observation(Record):
    """The figures of one post.

    Attributes:
        words: Its number of words.
        unseen: How many of its first FIRST_WORDS words the training posts lack: a number that does not grow with
            the post. None for a shorter post.
        types: The number of predictions by type, or the one label.
        score: The lowest score among them; None without a prediction.
    """

    words: int
    unseen: int | None
    types: dict[str, int]
    score: float | None = None

    @property
    def mentions(self) -> int:
        """Return the number of predictions."""
        return sum(self.types.values())


def describe_post(text: str, prediction: Mapping[str, Any], vocabulary: Collection[int]) -> Observation:
    """Observe a post.

    Args:
        text: The post.
        prediction: As :func:`cotpd.student.prediction_input.predict_inputs` returns it; scores may be missing.
        vocabulary: Hashes of the words of the training posts.
    """
    words = list_words(text)
    hashes = map(hash_word, words[:FIRST_WORDS])
    unseen = sum(value not in vocabulary for value in hashes) if len(words) >= FIRST_WORDS else None
    if "entities" in prediction:
        entities = prediction["entities"] or []
        types = Counter(str(entity["type"]) for entity in entities)
        scores = [entity["score"] for entity in entities if entity.get("score") is not None]
    else:
        types = Counter([] if prediction["label"] is None else [str(prediction["label"])])
        scores = [prediction["score"]] if prediction.get("score") is not None else []
    return Observation(words=len(words), unseen=unseen, types=dict(types), score=min(scores, default=None))


def list_words(text: str) -> list[str]:
    """Return the words of a text in lower case; numbers, signs, handles and addresses are none."""
    tokens = (token.text.casefold() for token in tokenize(text))
    return [
        token
        for token in tokens
        if any(map(str.isalpha, token)) and not token.startswith(("@", "http://", "https://"))
    ]


def hash_word(word: str) -> int:
    """Return the hash under which a vocabulary holds a word."""
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=_HASH_BYTES).digest())


def build_vocabulary(texts: Iterable[str]) -> frozenset[int]:
    """Return the hashes of all words of some texts."""
    return frozenset(map(hash_word, chain.from_iterable(map(list_words, texts))))


def draw_sample(items: Iterator[T], seed: int = 0) -> tuple[list[T], int]:
    """Return at most MOST_POSTS items, each as likely as any other, and the number of all."""
    rng, sample, count = random.Random(seed), list[T](), 0
    for count, item in enumerate(items, 1):
        if len(sample) < MOST_POSTS:
            sample.append(item)
        elif (index := rng.randrange(count)) < MOST_POSTS:
            sample[index] = item
    return sample, count
