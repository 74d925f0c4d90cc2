"""Hashes of training posts, by which a held-out post is recognised as the same or a near one without their texts.

A registered version carries them, so that the gate can look for leaks where the training posts are not at hand.
Trade-off: near posts are found by the exact Jaccard similarity of their word pairs, through an inverted index, and
not by MinHash. A post has some twenty pairs, so the hashes themselves are smaller than a signature, and no near
post is missed by chance. 4,000 posts take 300 KB.

The words compared are without case, addresses, handles and punctuation: a copied post differs in these. A reader
of the hashes can test a guess at a text, and cannot read a text out of them.
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from cotpd.data.records import Post
from cotpd.data.tokenization import tokenize
from cotpd.errors import DataError
from cotpd.files import write_atomically

TRAINING_POSTS = "training_posts.safetensors"  # the name of their file in a version
FORMAT = 1  # raised when the meaning of a stored hash changes
_EDGE = "\n"  # begins and ends the words of a post; no word holds it


class Overlap(NamedTuple):
    """The similarity of a post to its nearest training post, in [0, 1], and whether both have the same words."""

    similarity: float
    is_exact: bool


class PostHashes(NamedTuple):
    """The hashes of some posts.

    Attributes:
        texts: Hashes of each post's words, sorted, (posts,).
        pairs: Hashes of the word pairs of all posts, post by post, each pair of a post once, (pairs,).
        lengths: How many of them each post has, (posts,).
        sizes: The words of each annotated post, (annotated posts,).
        mentions: Hashes of the words of each distinct mention of the annotated posts, sorted, (mentions,).
    """

    texts: np.ndarray
    pairs: np.ndarray
    lengths: np.ndarray
    sizes: np.ndarray
    mentions: np.ndarray

    @classmethod
    def build(cls, posts: Sequence[Post], extra: Iterable[Post] = ()) -> Self:
        """Hash posts.

        Args:
            posts: The annotated training posts of a data set.
            extra: Posts that were trained on besides: augmented, or without labels.
        """
        texts, pairs = [], []
        for post in chain(posts, extra):
            words = normalize_words(post.text)
            texts.append(hash_words(words))
            pairs.append(_hash_pairs(words))
        mentions: set[int] = set()
        for post in posts:
            mentions |= {hash_mention(post.get_mention(entity)) for entity in post.entities}
        return cls(
            texts=np.sort(np.array(texts, np.uint64)),
            pairs=np.concatenate([*pairs, np.empty(0, np.uint32)]),
            lengths=np.array(list(map(len, pairs)), np.uint32),
            sizes=np.array([len(post.tokens) for post in posts], np.uint32),
            mentions=np.array(sorted(mentions), np.uint64),
        )

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that :meth:`write` wrote.

        Raises:
            DataError: It is missing, damaged, or of a later format.
        """
        remedy = "Register the student again: dvc repro -f -s register"
        try:
            arrays = load_file(path)
            if int(arrays.pop("format")[0]) != FORMAT:
                raise DataError(f"{path}: hashes of another format than {FORMAT}", remedy)
            return cls(**arrays)
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise DataError(f"{path}: no hashes of training posts: {error}", remedy) from None

    def write(self, path: Path) -> None:
        """Write the hashes into one file, whole or not at all.

        Raises:
            StorageError: The disk is full.
        """
        with write_atomically(path) as partial:
            save_file({"format": np.array([FORMAT], np.int64), **self._asdict()}, partial)

    def measure_overlaps(self, texts: Sequence[str]) -> list[Overlap]:
        """Return how near each text is to the nearest of these posts, by the Jaccard similarity of word pairs."""
        index = _build_index(self.pairs, self.lengths)
        return [self._measure_overlap(text, index) for text in texts]

    def _measure_overlap(self, text: str, index: "_Index") -> Overlap:
        words = normalize_words(text)
        if _is_among(self.texts, hash_words(words)):
            return Overlap(1.0, is_exact=True)
        _, similarities = _measure_similarities(_hash_pairs(words), index)
        return Overlap(float(similarities.max(initial=0.0)), is_exact=False)

    def has_mention(self, mention: str) -> bool:
        """Whether a mention of these posts has the same words."""
        return _is_among(self.mentions, hash_mention(mention))


class _Index(NamedTuple):
    """The pairs in rising order, the post of each, and how many pairs each post has."""

    pairs: np.ndarray
    posts: np.ndarray
    lengths: np.ndarray


def _build_index(pairs: np.ndarray, lengths: np.ndarray) -> _Index:
    """Return the index of some posts' pairs, post by post."""
    order = np.argsort(pairs, kind="stable")
    return _Index(pairs[order], np.repeat(np.arange(len(lengths)), lengths)[order], lengths.astype(np.int64))


def _measure_similarities(pairs: np.ndarray, index: _Index) -> tuple[np.ndarray, np.ndarray]:
    """Return the posts that share a pair with one text, and their Jaccard similarities."""
    starts, ends = (np.searchsorted(index.pairs, pairs, side) for side in ("left", "right"))
    sharing = [index.posts[start:end] for start, end in zip(starts, ends, strict=True)]
    posts, shared = np.unique(np.concatenate(sharing), return_counts=True)
    return posts, shared / (len(pairs) + index.lengths[posts] - shared)


def group_near_texts(texts: Sequence[str], similarity: float) -> list[int]:
    """Return a group number for each text; near texts have the same one, and so have those that others link.

    Args:
        texts: The texts of posts.
        similarity: Jaccard similarity of word pairs from which two texts are near; the same words always are.
    """
    words = [normalize_words(text) for text in texts]
    pairs = [_hash_pairs(row) for row in words]
    lengths = np.array(list(map(len, pairs)), np.int64)
    index = _build_index(np.concatenate([*pairs, np.empty(0, np.uint32)]), lengths)
    groups = Groups(len(texts))
    first_of_words: dict[int, int] = {}
    for number, row in enumerate(words):
        groups.join(number, first_of_words.setdefault(hash_words(row), number))
        posts, similarities = _measure_similarities(pairs[number], index)
        for neighbour in posts[similarities >= similarity].tolist():
            groups.join(number, neighbour)
    return [groups.find(number) for number in range(len(texts))]


class Groups:
    """Numbers from 0 that are joined to groups; each group is named by its smallest number (union-find)."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def find(self, number: int) -> int:
        """Return the name of a number's group."""
        while self._parents[number] != number:
            self._parents[number] = self._parents[self._parents[number]]
            number = self._parents[number]
        return number

    def join(self, first: int, second: int) -> None:
        """Make one group of those of two numbers."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parents[high] = low


def normalize_words(text: str) -> list[str]:
    """Return a text's words without case, addresses, handles and punctuation; all tokens where none is left."""
    tokens = [token.text for token in tokenize(unicodedata.normalize("NFKC", text).casefold())]
    words = [token for token in tokens if not token.startswith(("http://", "https://", "@"))]
    words = [word for word in words if any(map(str.isalnum, word))]
    return (words[1:] if words[:1] == ["rt"] else words) or tokens  # a retweet has the words of its original


def hash_words(words: Sequence[str]) -> int:
    """Return 64 bits of the sha256 of some words."""
    digest = hashlib.sha256(_EDGE.join(words).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little")


def hash_mention(mention: str) -> int:
    """Return the hash of a mention's text without case and extra blanks."""
    return hash_words(unicodedata.normalize("NFKC", mention).casefold().split())


def _hash_pairs(words: Sequence[str]) -> np.ndarray:
    """Return the hashes of the distinct word pairs, edges included, uint32 (pairs,)."""
    edged = ["", *words, ""]
    hashes = [hash_words(pair) & 0xFFFFFFFF for pair in pairwise(edged)]
    return np.unique(np.array(hashes, np.uint32))


def _is_among(values: np.ndarray, value: int) -> bool:
    """Whether a sorted array holds a value."""
    position = int(np.searchsorted(values, np.uint64(value)))
    return position < len(values) and int(values[position]) == value
