"""A trained model: load it from a folder, label text with it.

Trade-off: what is loaded is only ever JSON, safetensors and tokenizer files, so that nothing in the folder can run
code and no network is needed.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import torch

from cotpd.config import StudentParams
from cotpd.devices import pick_device
from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.models import folder_of
from cotpd.progress import Progress
from cotpd.student.batches import collate, reading_order, sizes
from cotpd.student.examples import Example, Span, pair_example, text_example, without_labels
from cotpd.student.folders import settle
from cotpd.student.heads import Found
from cotpd.student.model import StudentModel
from cotpd.student.persistence import Card, load, save
from cotpd.student.views import Encoded, Tokenization, View

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


LOOK_AHEAD = 16  # batches


class Mention(NamedTuple):
    """A predicted mention in characters of the text, end exclusive."""

    start: int
    end: int
    text: str
    type: str
    score: float


class Relation(NamedTuple):
    """A predicted relation of a pair."""

    label: str
    score: float


class Student:
    """A model with its tokenizer and inventory.

    ``views`` are what it was trained to read, its own first; ``temperature`` is what its scores are divided by
    before they become probabilities (see :mod:`cotpd.student.calibration`).
    """

    def __init__(
        self,
        model: StudentModel,
        tokenizer: "PreTrainedTokenizerBase",
        params: StudentParams,
        views: tuple[View, ...],
        reads: int,
        device: str = "auto",
        temperature: float = 1.0,
    ) -> None:
        self.device = pick_device(device)
        self.model = model.to(self.device).eval()
        self.tokenizer, self.params, self.labels, self.views = tokenizer, params, model.labels, views
        self.tokens = Tokenization(tokenizer, params, model.labels, model.vocabulary, reads)
        self.temperature = temperature

    @classmethod
    def from_pretrained(cls, source: Path | str, device: str = "auto") -> Self:
        """Load a model from a folder, or from MLflow: models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN/PATH.

        Raises:
            ModelError: There is no model, or it is damaged or incomplete; the store or the version is not there.
            ConfigError: The device is not there.
        """
        settle(Path(source))
        model, tokenizer, card, reads = load(folder_of(source))
        return cls(model, tokenizer, card.student, card.views, reads, device, temperature=card.temperature)

    def save(self, folder: Path | str, extra: dict[str, str] | None = None) -> None:
        """Write the model, and further text files by name, into a folder, whole or not at all."""
        card = Card(labels=self.labels, views=self.views, student=self.params, temperature=self.temperature)
        save(Path(folder), self.model, self.tokenizer, card, extra)

    def predict_examples(
        self, examples: Sequence[Example], view: View | None = None, batch_size: int = 32, progress: bool = False
    ) -> list[list[Found]]:
        """Label examples, in their order.

        Args:
            examples: Gold labels in them are not looked at.
            view: One of the views that the model was trained in; None takes its own.
            batch_size: Examples at a time.
            progress: Whether to show how far it has come.

        Returns:
            For each example its mentions (start, end, label, score) in tokens, or one relation with span 0, 0.

        Raises:
            ModelError: The model was not trained in that view.
        """
        view = view or self.views[0]
        if view not in self.views:
            raise ModelError(
                f"this model reads the views {', '.join(self.views)}, not {view}", "Name one of those."
            )
        encoded = self.tokens.encode([without_labels(example) for example in examples])
        found: list[list[Found]] = [[] for _ in examples]
        with Progress(f"labelling, {view} view", len(examples), show=progress) as bar:
            for chosen in reading_order(sizes(encoded, self.tokens), batch_size):
                for i, labels in zip(chosen, self._label([encoded[i] for i in chosen], view), strict=True):
                    found[i] = labels
                bar.advance(len(chosen))
        return found

    def _label(self, chosen: Sequence[Encoded], view: View) -> list[list[Found]]:
        batch = collate(chosen, view, self.tokens).to(self.device)
        with torch.inference_mode():  # in single precision, also while a training mixes: half moves scores by 0.01
            scores = self.model(batch, view)
        return self.model.head.decode(scores, batch.mask, self.temperature)

    def predict(
        self, texts: Iterable[str], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[list[Mention]]:
        """Find the mentions in raw text; empty text has none.

        Args:
            texts: Of any length and number; memory holds what is read ahead.
            batch_size: Texts at a time.
            look_ahead: Batches that are read ahead of the answers, to put texts of like length together.

        Raises:
            ModelError: The model labels relations: use :meth:`predict_relations`.
            DataError: One text instead of several, or something that is no text.
            ConfigError: A size below 1.
        """
        self._require("ner")
        if isinstance(texts, str | bytes):
            raise DataError("predict() takes texts, not one text", "Write predict([text]).")
        _positive(batch_size=batch_size, look_ahead=look_ahead)
        return self._mentions(texts, batch_size, look_ahead)

    def _mentions(self, texts: Iterable[str], batch_size: int, look_ahead: int) -> Iterator[list[Mention]]:
        waiting = iter(texts)
        while chunk := list(islice(waiting, batch_size * look_ahead)):
            if strange := [text for text in chunk if not isinstance(text, str)]:
                raise DataError(f"{strange[0]!r} is no text", "Give predict() strings.")
            read = [text_example(text) for text in chunk]
            labelled = iter(self.predict_examples([e for e in read if e], batch_size=batch_size))
            for example in read:
                found = next(labelled) if example else []
                yield [_mention(example, one) for one in found if example]

    def predict_relations(
        self, pairs: Iterable[tuple[str, Span | str, Span | str]], batch_size: int = 32
    ) -> Iterator[Relation]:
        """Label the relation between two mentions of a text.

        Args:
            pairs: (text, head, tail), the mentions as character offsets or as they stand in the text.
            batch_size: Pairs at a time.

        Raises:
            DataError: A mention is not in its text.
            ModelError: The model labels mentions: use :meth:`predict`.
            ConfigError: A size below 1.
        """
        self._require("re")
        _positive(batch_size=batch_size)
        return self._relations(pairs, batch_size)

    def _relations(
        self, pairs: Iterable[tuple[str, Span | str, Span | str]], batch_size: int
    ) -> Iterator[Relation]:
        waiting = iter(pairs)
        while chunk := list(islice(waiting, batch_size)):
            examples = [pair_example(text, head, tail) for text, head, tail in chunk]
            for (found,) in self.predict_examples(examples, batch_size=batch_size):
                yield Relation(found.label, found.score)

    def _require(self, task: str) -> None:
        if self.labels.task != task:
            what = {"ner": "mentions: use predict()", "re": "relations: use predict_relations()"}
            raise ModelError(f"this model labels {what[self.labels.task]}")


def _positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ConfigError(f"{name} is {size}", "Give 1 or more.")


def _mention(example: Example, found: Found) -> Mention:
    start, end = example.offsets[found.start][0], example.offsets[found.end - 1][1]
    return Mention(start, end, example.text[start:end], found.label, found.score)
