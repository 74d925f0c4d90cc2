"""A trained model: load it from a folder, label text with it.

Trade-off: only JSON, safetensors and tokenizer files are loaded, so that nothing in the folder can run code and no
network is needed.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch

from cotpd.devices import pick_device
from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.progress import Progress
from cotpd.registry.model_address import find_student_folder
from cotpd.student.batches import collate, measure_sizes, order_for_reading
from cotpd.student.examples import Example, build_pair_example, build_text_example, remove_labels
from cotpd.student.folders import recover_interrupted_swap
from cotpd.student.model import StudentModel
from cotpd.student.params import StudentParams
from cotpd.student.persistence import Card, load_model, save_model
from cotpd.student.predictor import LOOK_AHEAD, Backend, Mention, Relation
from cotpd.student.tasks import Predicted, PredictedMention, Span, TaskName
from cotpd.student.views import Encoded, ExampleEncoder, View

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Student:
    """A model with its tokenizer and inventory.

    Attributes:
        views: The views that the model was trained to read, its own first.
        labels: The inventory.
        example_encoder: Turns examples into sub-words.
        temperature: Scores are divided by it before they become probabilities (see
            :mod:`cotpd.student.calibration`).

    Args:
        reads: The most positions that the encoder reads.
    """

    backend: Backend = "torch"

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
        self.example_encoder = ExampleEncoder(tokenizer, params, model.labels, model.vocabulary, reads)
        self.temperature = temperature

    @classmethod
    def from_pretrained(cls, source: Path | str, device: str = "auto") -> Self:
        """Load a model from a folder, or from MLflow: models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN/PATH.

        Raises:
            ModelError: There is no model, or it is damaged or incomplete; the store or the version does not exist.
            ConfigError: The device does not exist.
        """
        recover_interrupted_swap(Path(source))
        model, tokenizer, card, reads = load_model(find_student_folder(source))
        return cls(model, tokenizer, card.student, card.views, reads, device, temperature=card.temperature)

    def save(self, folder: Path | str, extra: dict[str, str] | None = None) -> None:
        """Write the model, and further text files by name, into a folder, whole or not at all.

        Raises:
            StorageError: The disk is full.
        """
        card = Card(labels=self.labels, views=self.views, student=self.params, temperature=self.temperature)
        save_model(Path(folder), self.model, self.tokenizer, card, extra)

    def predict_examples(
        self, examples: Sequence[Example], view: View | None = None, batch_size: int = 32, progress: bool = False
    ) -> list[list[Predicted]]:
        """Label examples, in their order.

        Args:
            examples: Their gold labels are not read.
            view: One of the views that the model was trained in; None takes its own.
            batch_size: Examples at a time.
            progress: Whether to show a progress bar.

        Returns:
            For each example its mentions in tokens, or a list of its one relation.

        Raises:
            ModelError: The model was not trained in that view.
            DataError: The model labels relations, and an example is no pair.
        """
        view = view or self.views[0]
        if view not in self.views:
            raise ModelError(
                f"this model reads the views {', '.join(self.views)}, not {view}", "Name one of those."
            )
        encoded = self.example_encoder.encode([remove_labels(example) for example in examples])
        predictions: list[list[Predicted]] = [[] for _ in examples]
        with Progress(f"labelling, {view} view", len(examples), show=progress) as bar:
            for indices in order_for_reading(measure_sizes(encoded, self.example_encoder), batch_size):
                labelled = self._label([encoded[index] for index in indices], view)
                for index, labels in zip(indices, labelled, strict=True):
                    predictions[index] = labels
                bar.advance(len(indices))
        return predictions

    def _label(self, examples: Sequence[Encoded], view: View) -> list[list[Predicted]]:
        """Return the predictions for a batch, in single precision also during mixed training.

        Half precision would move scores by 0.01.
        """
        batch = collate(examples, view, self.example_encoder).to(self.device)
        with torch.inference_mode():
            scores = self.model(batch, view)
        return self.model.head.decode(scores, batch.mask, self.temperature)

    def predict(
        self, texts: Iterable[str], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[list[Mention]]:
        """Find the mentions in raw text; empty text has none.

        Args:
            texts: Of any length and number; memory holds the texts that are read ahead.
            batch_size: Texts at a time.
            look_ahead: Batches that are read ahead of the answers, to put texts of like length together.

        Raises:
            ModelError: The model labels relations: use :meth:`predict_relations`.
            DataError: One text instead of several, or an object that is no text.
            ConfigError: A size below 1.
        """
        self._require_task("ner")
        if isinstance(texts, str | bytes):
            raise DataError("predict() takes texts, not one text", "Write predict([text]).")
        _require_positive(batch_size=batch_size, look_ahead=look_ahead)
        return self._find_mentions(texts, batch_size, look_ahead)

    def _find_mentions(self, texts: Iterable[str], batch_size: int, look_ahead: int) -> Iterator[list[Mention]]:
        """Yield the mentions of each text, in order; ``look_ahead`` batches of texts are read at a time.

        Raises:
            DataError: An object is no text.
        """
        pending = iter(texts)
        while chunk := list(islice(pending, batch_size * look_ahead)):
            for text in chunk:
                if not isinstance(text, str):
                    raise DataError(f"{text!r} is no text", "Give predict() strings.")
            examples = [build_text_example(text) for text in chunk]
            readable = [example for example in examples if example is not None]
            predictions = iter(self.predict_examples(readable, batch_size=batch_size))
            for example in examples:
                yield _locate_mentions(example, next(predictions)) if example is not None else []

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
        self._require_task("re")
        _require_positive(batch_size=batch_size)
        return self._find_relations(pairs, batch_size)

    def _find_relations(
        self, pairs: Iterable[tuple[str, Span | str, Span | str]], batch_size: int
    ) -> Iterator[Relation]:
        """Yield the relation of each pair, in order; a batch of pairs is read at a time.

        Raises:
            DataError: A mention is not in its text.
        """
        pending = iter(pairs)
        while chunk := list(islice(pending, batch_size)):
            examples = [build_pair_example(text, head, tail) for text, head, tail in chunk]
            for (relation,) in self.predict_examples(examples, batch_size=batch_size):
                yield Relation(relation.label, relation.score)

    def _require_task(self, task: TaskName) -> None:
        """Fail, naming the method to call instead, if the model is one of the other task."""
        if self.labels.task != task:
            raise ModelError(f"this model labels {self.labels.definition.usage_hint}")


def _require_positive(**sizes: int) -> None:
    """Fail if a size, named by its keyword, is below 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ConfigError(f"{name} is {size}", "Give 1 or more.")


def _locate_mentions(example: Example, predictions: Sequence[Predicted]) -> list[Mention]:
    """Return predicted mentions with their characters in place of their tokens."""
    mentions = []
    for prediction in predictions:
        if isinstance(prediction, PredictedMention):
            start, end = example.offsets[prediction.start][0], example.offsets[prediction.end - 1][1]
            mentions.append(Mention(start, end, example.text[start:end], prediction.label, prediction.score))
    return mentions
