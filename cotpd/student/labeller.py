"""From texts to mentions and labels, whichever library computes the scores: all but the model itself.

It needs no torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.progress import Progress
from cotpd.student.batches import measure_sizes, order_for_reading
from cotpd.student.examples import Example, build_pair_example, build_text_example, remove_labels
from cotpd.student.labels import LabelSet
from cotpd.student.predictor import LOOK_AHEAD, Mention, PostLabel, Relation
from cotpd.student.tasks import Predicted, PredictedMention, Span
from cotpd.student.views import Encoded, ExampleEncoder, View

T = TypeVar("T")


class Labeller(ABC):
    """Labels texts and examples in batches of like length; a subclass computes the labels of a batch.

    Attributes:
        views: The views that it reads, its own first.
        labels: The inventory.
        example_encoder: Turns examples into sub-words.
    """

    views: tuple[View, ...]
    labels: LabelSet
    example_encoder: ExampleEncoder

    @abstractmethod
    def _label(self, examples: Sequence[Encoded], view: View) -> list[list[Predicted]]:
        """Return the predictions for each example of a batch."""

    def _order(self, encoded: Sequence[Encoded], batch_size: int) -> Iterable[list[int]]:
        """Return the batches in which examples are labelled, as their indices."""
        return order_for_reading(measure_sizes(encoded, self.example_encoder), batch_size)

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
            For each example its mentions in tokens, or a list of its one label.

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
            for indices in self._order(encoded, batch_size):
                labelled = self._label([encoded[index] for index in indices], view)
                for index, labels in zip(indices, labelled, strict=True):
                    predictions[index] = labels
                bar.advance(len(indices))
        return predictions

    def predict(
        self, texts: Iterable[str], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[list[Mention]]:
        """Find the mentions in raw text; empty text has none.

        Args:
            texts: Of any length and number; memory holds the texts that are read ahead.
            batch_size: Texts at a time.
            look_ahead: Batches that are read ahead of the answers, to put texts of like length together.

        Raises:
            ModelError: The model labels something else: use the method that the message names.
            DataError: One text instead of several, or an object that is no text.
            ConfigError: A size below 1.
        """
        self._require_method("predict")
        return self._label_texts(texts, batch_size, look_ahead, _locate_mentions, list)

    def predict_labels(
        self, texts: Iterable[str], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[PostLabel | None]:
        """Label each text as a whole; empty text has no label.

        Args:
            texts: Of any length and number; memory holds the texts that are read ahead.
            batch_size: Texts at a time.
            look_ahead: Batches that are read ahead of the answers, to put texts of like length together.

        Raises:
            ModelError: The model labels something else: use the method that the message names.
            DataError: One text instead of several, or an object that is no text.
            ConfigError: A size below 1.
        """
        self._require_method("predict_labels")
        return self._label_texts(texts, batch_size, look_ahead, _take_label, lambda: None)

    def _label_texts(
        self,
        texts: Iterable[str],
        batch_size: int,
        look_ahead: int,
        convert: Callable[[Example, Sequence[Predicted]], T],
        make_empty: Callable[[], T],
    ) -> Iterator[T]:
        """Check the arguments before the first text is read, and return the predictions of each text, in order.

        Args:
            texts, batch_size, look_ahead: As :meth:`predict` takes them.
            convert: Turns the predictions for an example into those of its text.
            make_empty: Returns the prediction for a text without a word.

        Raises:
            DataError: One text instead of several, or an object that is no text.
            ConfigError: A size below 1.
        """
        if isinstance(texts, str | bytes):
            name = self.labels.definition.method
            raise DataError(f"{name}() takes texts, not one text", f"Write {name}([text]).")
        _require_positive(batch_size=batch_size, look_ahead=look_ahead)
        chunks = self._iterate_predicted(texts, batch_size, look_ahead)
        return (make_empty() if example is None else convert(example, labels) for example, labels in chunks)

    def _iterate_predicted(
        self, texts: Iterable[str], batch_size: int, look_ahead: int
    ) -> Iterator[tuple[Example | None, Sequence[Predicted]]]:
        """Yield each text's example and predictions, in order; ``look_ahead`` batches of texts are read at a time.

        Raises:
            DataError: An object is no text.
        """
        pending = iter(texts)
        while chunk := list(islice(pending, batch_size * look_ahead)):
            for text in chunk:
                if not isinstance(text, str):
                    raise DataError(f"{text!r} is no text", f"Give {self.labels.definition.method}() strings.")
            examples = [build_text_example(text) for text in chunk]
            readable = [example for example in examples if example is not None]
            predictions = iter(self.predict_examples(readable, batch_size=batch_size))
            for example in examples:
                yield example, next(predictions) if example is not None else ()

    def predict_relations(
        self, pairs: Iterable[tuple[str, Span | str, Span | str]], batch_size: int = 32
    ) -> Iterator[Relation]:
        """Label the relation between two mentions of a text.

        Args:
            pairs: (text, head, tail), the mentions as character offsets or as they stand in the text.
            batch_size: Pairs at a time.

        Raises:
            DataError: A mention is not in its text.
            ModelError: The model labels something else: use the method that the message names.
            ConfigError: A size below 1.
        """
        self._require_method("predict_relations")
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

    def _require_method(self, name: str) -> None:
        """Fail, naming the method to call instead, if the model is one of another kind of task."""
        if self.labels.definition.method != name:
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


def _take_label(_: Example, predictions: Sequence[Predicted]) -> PostLabel:
    """Return the one label of a post."""
    (prediction,) = predictions
    return PostLabel(prediction.label, prediction.score)
