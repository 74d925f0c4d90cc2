"""Encoding examples as arrays of sub-words: the text, the prompt and the knowledge view.

Trade-off: every word is tokenised by itself and once in a life, so that a label always has its own first sub-word
and an epoch costs no tokeniser time; a few sub-words that would straddle two words are lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, Protocol

import numpy as np

from cotpd.data.records import Kind
from cotpd.errors import ConfigError, ModelError
from cotpd.student.examples import Example
from cotpd.student.labels import LabelSet
from cotpd.student.params import StudentParams
from cotpd.student.windows import Ids

View = Literal["text", "prompt", "knowledge"]
SPECIAL_TOKENS = ("cls", "sep", "pad")
MARKERS = 4  # [E1] [/E1] [E2] [/E2]: ids just above the vocabulary, embedded by the model itself
_LONGEST_WORD = 24  # sub-words of one word that are read: the end of a long address says nothing new
_CACHED_WORDS = 200_000  # words whose sub-words stay in memory


class SubwordTokenizer(Protocol):
    """The interface of a tokenizer: one of transformers, or a :class:`cotpd.student.fast_tokenizer.FastTokenizer`.

    Beside ``unk_token_id`` it has an id of that form for each of :data:`SPECIAL_TOKENS`, and for ``mask``.
    """

    unk_token_id: Any

    def __call__(
        self, text: list[str], *, add_special_tokens: bool, split_special_tokens: bool, verbose: bool
    ) -> Any:
        """Return the ids of each text below ``input_ids``."""
        ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as sub-words.

    ``windows`` are stretches of the post, special tokens not included. State i of the example (a token's first
    sub-word, or the two opening markers) is at ``position_of_state[i]`` of window ``window_of_state[i]``.
    ``knowledge`` follows each window in the knowledge view, as far as there is room.
    """

    id: str
    windows: tuple[Ids, ...]
    window_of_state: Ids
    position_of_state: Ids
    knowledge: Ids
    targets: Ids

    @property
    def size(self) -> int:
        """Sub-words of the post."""
        return sum(len(window) for window in self.windows)


class ExampleEncoder:
    """Turns examples into sub-words with an encoder's own tokenizer.

    Attributes:
        room: Sub-words of text that fit into a window, beside cls, sep and the prompt vectors.
        cls, sep, pad, unk: Ids of special tokens.

    Args:
        tokenizer: A tokenizer of any family; its cls, sep, pad and unk tokens are used.
        params: Lengths and the order of knowledge.
        labels: The inventory that the targets index.
        vocabulary: Rows of the encoder's embedding table; the ids above are the markers.
        reads: The most positions that the encoder reads.

    Raises:
        ConfigError: A length is more than the encoder reads, or the prompt leaves no room for text.
        ModelError: The tokenizer lacks a special token.
    """

    def __init__(
        self,
        tokenizer: SubwordTokenizer,
        params: StudentParams,
        labels: LabelSet,
        vocabulary: int,
        reads: int,
    ) -> None:
        self.tokenizer, self.params, self.labels, self.vocabulary = tokenizer, params, labels, vocabulary
        for name in ("max_length", "knowledge_length"):
            if getattr(params, name) > reads:
                raise ConfigError(
                    f"student.{name} is {getattr(params, name)}, but {params.encoder} reads {reads}",
                    "Lower it.",
                )
        self.room = params.max_length - params.prompt_length - 2
        if self.room < 2 * MARKERS:
            raise ConfigError(
                f"student.max_length {params.max_length} leaves {self.room} sub-words for text beside"
                f" {params.prompt_length} prompt vectors",
                "Raise it, or lower student.prompt_length.",
            )
        self.cls, self.sep, self.pad = (self._require_token(name) for name in SPECIAL_TOKENS)
        unk = tokenizer.unk_token_id
        self.unk: int = unk if unk is not None else self._require_token("mask")
        self._subwords: dict[str, list[int]] = {}

    def _require_token(self, name: str) -> int:
        token: int | None = getattr(self.tokenizer, f"{name}_token_id")
        if token is None:
            raise ModelError(
                f"the tokenizer of {self.params.encoder} has no {name} token",
                "Use an encoder of the BERT, RoBERTa, XLM-R, MPNet, DeBERTa or ModernBERT family.",
            )
        return token

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Return examples as sub-words; a word that was tokenised before costs nothing.

        Raises:
            DataError: An example holds a label outside the inventory, or is no pair and the task reads pairs.
        """
        words = [_prefix_spaces(example) for example in examples]
        self._tokenize_new(chain.from_iterable(words))
        knowledge = self._encode_knowledge(examples)
        return [self._encode_example(*row) for row in zip(examples, words, knowledge, strict=True)]

    def _encode_example(self, example: Example, words: list[str], knowledge: Ids) -> Encoded:
        subwords = [self._subwords[word] for word in words]
        text = self.labels.definition.place_states(example, subwords, self.vocabulary, self.room)
        targets = np.asarray(self.labels.encode_gold(example), np.int64)
        return Encoded(example.id, text.windows, text.window_of_state, text.position_of_state, knowledge, targets)

    def find_word_indices(self, example: Example) -> tuple[Ids, ...]:
        """Return, for each window of an example, the index of the word of each sub-word; -1 for a marker."""
        words = _prefix_spaces(example)
        self._tokenize_new(words)
        # word indices in place of ids, cut into windows as the ids are; markers come out as len(words) and above
        indices = [[index] * len(self._subwords[word]) for index, word in enumerate(words)]
        windows = self.labels.definition.place_states(example, indices, len(words), self.room).windows
        return tuple(np.where(window < len(words), window, -1) for window in windows)

    def measure_unknown_share(self, encoded: Sequence[Encoded]) -> float:
        """Return the share of the posts' sub-words that stand for signs which the tokenizer does not know."""
        ids = list(chain.from_iterable(example.windows for example in encoded))
        total = sum(map(len, ids))
        return sum(int((window == self.unk).sum()) for window in ids) / total if total else 0.0

    def _tokenize_new(self, words: Iterable[str]) -> None:
        """Add the sub-words of words that were not met before."""
        words = set(words)
        if len(self._subwords) > _CACHED_WORDS:  # an endless stream of posts would fill the memory with its words
            self._subwords.clear()
        new = sorted(words - self._subwords.keys())
        for word, ids in zip(new, self._tokenize(new), strict=True):
            self._subwords[word] = ids[: min(_LONGEST_WORD, self.room // 2)] or [self.unk]

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        """Return the sub-words of each text; "[SEP]" written in a post is split, and never a special token."""
        if not texts:
            return []
        readable = [text.encode("utf-8", "replace").decode() for text in texts]  # half a surrogate is no text
        tokenized = self.tokenizer(readable, add_special_tokens=False, split_special_tokens=True, verbose=False)
        ids: list[list[int]] = tokenized["input_ids"]
        return ids

    def _encode_knowledge(self, examples: Sequence[Example]) -> list[Ids]:
        """Return caption and answers in the configured order, each ended by sep, cut to knowledge_length."""
        longest = self.params.knowledge_length
        parts = [_list_knowledge(example, self.params.knowledge_order) for example in examples]
        texts = sorted(set(chain.from_iterable(parts)))
        ids_of = {text: [*ids[:longest], self.sep] for text, ids in zip(texts, self._tokenize(texts), strict=True)}

        knowledge = []
        for row in parts:
            ids = list(chain.from_iterable(ids_of[part] for part in row))
            knowledge.append(np.asarray(ids, np.int64)[:longest])
        return knowledge


def _list_knowledge(example: Example, order: Sequence[str]) -> list[str]:
    """Return an example's caption and answers in a given order; those that are missing or empty are left out."""
    parts = [example.caption if name == "caption" else example.knowledge.get(Kind(name)) for name in order]
    return [part for part in parts if part]


def _prefix_spaces(example: Example) -> list[str]:
    """Return the words, with a leading space where the text has one: byte-level vocabularies tell them apart."""
    starts = [start for start, _ in example.offsets]
    return [
        " " + word if start and example.text[start - 1].isspace() else word
        for word, start in zip(example.tokens, starts, strict=True)
    ]
