"""From examples to arrays of sub-words: the text, the prompt and the knowledge view.

Trade-off: every word is tokenised by itself and once in a life, so that a label always has its own first sub-word
and an epoch costs no tokeniser time; a few sub-words that would straddle two words are lost.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from cotpd.config import StudentParams
from cotpd.data.records import Kind
from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.student.examples import Example, Span
from cotpd.student.labels import LabelSet

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

View = Literal["text", "prompt", "knowledge"]
SPECIAL_TOKENS = ("cls", "sep", "pad")
MARKERS = 4  # [E1] [/E1] [E2] [/E2]: ids just above the vocabulary, embedded by the model itself
_LONGEST_WORD = 24  # sub-words of one word that are read: the rest of a long address says nothing more
_MOST_WORDS = 200_000  # whose sub-words are kept at hand
Ids = np.ndarray


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example as sub-words.

    ``windows`` are stretches of the post, special tokens not included. State i of the example (a token's first
    sub-word, or the two opening markers) stands in window ``rows[i]`` at ``places[i]``. ``knowledge`` follows
    each window in the knowledge view, as far as there is room.
    """

    id: str
    windows: tuple[Ids, ...]
    rows: Ids
    places: Ids
    knowledge: Ids
    targets: Ids

    @property
    def size(self) -> int:
        """Sub-words of the post."""
        return sum(len(window) for window in self.windows)


class Tokenization:
    """Turns examples into sub-words with an encoder's own tokenizer.

    Args:
        tokenizer: Of any family; its cls, sep, pad and unk tokens are used.
        params: Lengths and the order of knowledge.
        labels: What the targets are drawn from.
        vocabulary: Rows of the encoder's embedding table; the ids above are the markers.
        reads: The most positions that the encoder reads.

    Raises:
        ConfigError: A length is more than the encoder reads, or the prompt leaves no room for text.
        ModelError: The tokenizer lacks a special token.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
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
        self.room = params.max_length - params.prompt_length - 2  # for text, beside cls and sep
        if self.room < 2 * MARKERS:
            raise ConfigError(
                f"student.max_length {params.max_length} leaves {self.room} sub-words for text beside"
                f" {params.prompt_length} prompt vectors",
                "Raise it, or lower student.prompt_length.",
            )
        self.cls, self.sep, self.pad = (self._special(name) for name in SPECIAL_TOKENS)
        self.unk = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else self._special("mask")
        self._words: dict[str, list[int]] = {}

    def _special(self, name: str) -> int:
        found = getattr(self.tokenizer, f"{name}_token_id")
        if found is None:
            raise ModelError(
                f"the tokenizer of {self.params.encoder} has no {name} token",
                "Use an encoder of the BERT, RoBERTa, XLM-R, MPNet, DeBERTa or ModernBERT family.",
            )
        return found

    def encode(self, examples: Sequence[Example]) -> list[Encoded]:
        """Tokenise examples; words seen before cost nothing.

        Raises:
            DataError: An example holds a label outside the inventory.
        """
        spaced = [_spaced(example) for example in examples]
        self._learn(word for words in spaced for word in words)
        knowledge = self._knowledge(examples)
        return [self._encode(*row) for row in zip(examples, spaced, knowledge, strict=True)]

    def _encode(self, example: Example, words: list[str], knowledge: Ids) -> Encoded:
        pieces = [self._words[word] for word in words]
        if self.labels.task == "ner":
            windows, rows, places = _windows(pieces, self.room)
        else:
            if example.head is None or example.tail is None:
                raise DataError(f"post {example.id}: no head or no tail", "A relation is that of a pair.")
            window, places = _marked(pieces, example.head, example.tail, self.vocabulary, self.room)
            windows, rows = (window,), np.zeros(2, np.int64)
        targets = np.asarray(self.labels.targets(example), np.int64)
        return Encoded(example.id, windows, rows, places, knowledge, targets)

    def owners(self, example: Example) -> tuple[Ids, ...]:
        """For each window of an example, the word that each of its sub-words belongs to; -1 for a marker."""
        words = _spaced(example)
        self._learn(words)
        numbers = [[at] * len(self._words[word]) for at, word in enumerate(words)]  # cut as the sub-words are
        if example.head is None or example.tail is None:
            windows = _windows(numbers, self.room)[0]
        else:
            windows = (_marked(numbers, example.head, example.tail, len(words), self.room)[0],)
        return tuple(np.where(window < len(words), window, -1) for window in windows)

    def _learn(self, words: Iterable[str]) -> None:
        words = set(words)
        if len(self._words) > _MOST_WORDS:  # a stream without end has words without end
            self._words.clear()
        new = sorted(words - self._words.keys())
        for word, ids in zip(new, self._tokenize(new), strict=True):
            self._words[word] = ids[: min(_LONGEST_WORD, self.room // 2)] or [self.unk]

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        # a post may say "[SEP]": what a user wrote never becomes a special token; and half a surrogate is no text
        if not texts:
            return []
        readable = [text.encode("utf-8", "replace").decode() for text in texts]
        options = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
        return self.tokenizer(readable, **options)["input_ids"]

    def _knowledge(self, examples: Sequence[Example]) -> list[Ids]:
        """Caption and answers in the configured order, each ended by sep, no longer than could ever be used."""
        parts = [[_part(example, name) for name in self.params.knowledge_order] for example in examples]
        said = sorted({part for row in parts for part in row if part})
        known = {
            text: [*ids[: self.params.knowledge_length], self.sep]
            for text, ids in zip(said, self._tokenize(said), strict=True)
        }
        return [
            np.asarray([i for part in row if part for i in known[part]], np.int64)[: self.params.knowledge_length]
            for row in parts
        ]


def _part(example: Example, name: str) -> str:
    return (example.caption if name == "caption" else example.knowledge.get(Kind(name))) or ""


def _spaced(example: Example) -> list[str]:
    """The words, with a leading space where one stands in the text: byte-level vocabularies tell them apart."""
    starts = [start for start, _ in example.offsets]
    return [
        " " + word if start and example.text[start - 1].isspace() else word
        for word, start in zip(example.tokens, starts, strict=True)
    ]


def _windows(pieces: list[list[int]], room: int) -> tuple[tuple[Ids, ...], Ids, Ids]:
    """Cut words into windows that overlap by a quarter; each word is read where most of its context is."""
    ends = np.cumsum([len(piece) for piece in pieces])
    starts = ends - [len(piece) for piece in pieces]
    flat = np.asarray([i for piece in pieces for i in piece], np.int64)
    windows: list[Ids] = []
    rows, places, most = np.zeros(len(pieces), np.int64), np.zeros(len(pieces), np.int64), np.full(len(pieces), -1)
    begin = last = 0
    while last < len(pieces):
        low = starts[begin]
        last = int(np.searchsorted(ends, low + room, side="right"))  # first word that does not fit
        high, words = ends[last - 1], slice(begin, last)
        before = starts[words] - low if begin else room
        after = high - ends[words] if last < len(pieces) else room
        context = np.broadcast_to(np.minimum(before, after), last - begin)
        better = np.flatnonzero(context > most[words]) + begin
        most[better] = context[better - begin]
        rows[better], places[better] = len(windows), starts[better] - low
        windows.append(flat[low:high])
        begin = min(max(begin + 1, int(np.searchsorted(starts, high - room // 4))), last)
    return tuple(windows), rows, places


def _marked(pieces: list[list[int]], head: Span, tail: Span, vocabulary: int, room: int) -> tuple[Ids, Ids]:
    """Sub-words with markers around head and tail, and where the two opening markers stand.

    If all is too long, what is kept is what stands around and between the markers; if they are too far apart for
    that, the middle goes.
    """
    opening = {head[0]: [vocabulary], tail[0]: [vocabulary + 2]}
    if head[0] == tail[0]:
        opening = {head[0]: [vocabulary, vocabulary + 2]}
    flat: list[int] = []
    for at, piece in enumerate(pieces):
        flat += opening.get(at, []) + piece
        flat += [vocabulary + 1] * (at == head[1] - 1) + [vocabulary + 3] * (at == tail[1] - 1)
    ids = np.asarray(flat, np.int64)
    marks = np.flatnonzero(ids >= vocabulary)
    if len(ids) > room:
        away = np.abs(np.arange(len(ids))[:, None] - marks).min(1)
        if marks[-1] - marks[0] < room:
            away[marks[0] : marks[-1] + 1] = 0
        ids = ids[np.sort(np.argsort(away, kind="stable")[:room])]
    return ids, np.asarray([np.flatnonzero(ids == vocabulary + n)[0] for n in (0, 2)])
