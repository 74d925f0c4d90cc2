"""Predicting mentions and labels of texts, whichever library computes the scores.

It needs no torch.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar, overload

from cotpd.data.records import WordSplitting
from cotpd.data.words import SOCIAL, Text, TextInWords, read_text
from cotpd.errors import ConfigError, DataError, ModelError
from cotpd.escaping import warn
from cotpd.progress import Progress
from cotpd.student.batches import measure_sizes, order_for_reading
from cotpd.student.examples import Example, build_pair_example, build_text_example, remove_labels
from cotpd.student.labels import LabelSet
from cotpd.student.prediction_input import PredictionInput, build_example
from cotpd.student.predictor import LOOK_AHEAD, Mention, Mentions, PostLabel, Relation
from cotpd.student.tasks import Predicted, PredictedMention, Span
from cotpd.student.views import Encoded, ExampleEncoder, View

T = TypeVar("T")
OneText = str | Mapping[str, Any] | TextInWords
Pair = tuple[Text, Span | str, Span | str]


class Labeller(ABC):
    """Labels texts and examples in batches of like length; a subclass computes the labels of a batch.

    Attributes:
        views: The views that it reads, its own first.
        labels: The inventory.
        example_encoder: Turns examples into sub-words.
        words: How raw text becomes words.
    """

    views: tuple[View, ...]
    labels: LabelSet
    example_encoder: ExampleEncoder
    words: WordSplitting = SOCIAL
    _has_warned = False

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

    @overload  # a string is a sequence of strings, too: the first that fits counts
    def predict(self, texts: OneText, batch_size: int = ..., look_ahead: int = ...) -> Mentions: ...  # type: ignore[overload-overlap]

    @overload
    def predict(self, texts: Sequence[Text], batch_size: int = ..., look_ahead: int = ...) -> list[Mentions]: ...

    @overload
    def predict(
        self, texts: Iterator[Text], batch_size: int = ..., look_ahead: int = ...
    ) -> Iterator[Mentions]: ...

    def predict(
        self, texts: OneText | Iterable[Text], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> Mentions | list[Mentions] | Iterator[Mentions]:
        """Find the mentions in texts; empty text has none.

        Args:
            texts: One text gives its mentions, a list of texts a list. An iterator streams: memory holds the texts
                that are read ahead. In a list or an iterator a list of words stands for a text as well, and
                {"tokens": [...]} everywhere: their mentions count words.
            batch_size: Texts at a time.
            look_ahead: Batches that are read ahead of the answers, to put texts of like length together.

        Raises:
            ModelError: The model labels something else: use the method that the message names.
            DataError: An object that is no text.
            ConfigError: A size below 1.
        """
        self._require_method("predict")
        return self._label_texts(texts, batch_size, look_ahead, _locate_mentions, Mentions)

    @overload  # as above
    def predict_labels(  # type: ignore[overload-overlap]
        self, texts: OneText, batch_size: int = ..., look_ahead: int = ...
    ) -> PostLabel | None: ...

    @overload
    def predict_labels(
        self, texts: Sequence[Text], batch_size: int = ..., look_ahead: int = ...
    ) -> list[PostLabel | None]: ...

    @overload
    def predict_labels(
        self, texts: Iterator[Text], batch_size: int = ..., look_ahead: int = ...
    ) -> Iterator[PostLabel | None]: ...

    def predict_labels(
        self, texts: OneText | Iterable[Text], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> PostLabel | list[PostLabel | None] | Iterator[PostLabel | None] | None:
        """Label each text as a whole; empty text has no label.

        Args:
            texts: One text gives its label, a list of texts a list. An iterator streams: memory holds the texts
                that are read ahead.
            batch_size: Texts at a time.
            look_ahead: Batches that are read ahead of the answers, to put texts of like length together.

        Raises:
            ModelError: The model labels something else: use the method that the message names.
            DataError: An object that is no text.
            ConfigError: A size below 1.
        """
        self._require_method("predict_labels")
        return self._label_texts(texts, batch_size, look_ahead, _take_label, lambda: None)

    def _label_texts(
        self,
        texts: OneText | Iterable[Text],
        batch_size: int,
        look_ahead: int,
        convert: Callable[[str | TextInWords, Example, Sequence[Predicted]], T],
        make_empty: Callable[[], T],
    ) -> T | list[T] | Iterator[T]:
        """Check the arguments before the first text is read, and return the predictions of each text, in order.

        They come in the shape of the texts: of one, as a list, or as an iterator.

        Args:
            texts, batch_size, look_ahead: As :meth:`predict` takes them.
            convert: Turns the predictions for a text and its example into those of the text.
            make_empty: Returns the prediction for a text without a word.

        Raises:
            DataError: An object that is no text.
            ConfigError: A size below 1.
        """
        if isinstance(texts, bytes) or not isinstance(texts, Iterable):
            raise DataError(f"{texts!r} is no text", "Give a string, a list of strings, or an iterator.")
        _require_positive(batch_size=batch_size, look_ahead=look_ahead)

        def convert_rows(several: Iterable[Text]) -> Iterator[T]:
            for content, example, predictions in self._iterate_predicted(several, batch_size, look_ahead):
                yield make_empty() if example is None else convert(content, example, predictions)

        if isinstance(texts, str | Mapping | TextInWords):
            return next(convert_rows([texts]))
        predictions_of_several = convert_rows(iter(texts))
        return list(predictions_of_several) if isinstance(texts, Sequence) else predictions_of_several

    def _iterate_predicted(
        self, texts: Iterable[Text], batch_size: int, look_ahead: int
    ) -> Iterator[tuple[str | TextInWords, Example | None, Sequence[Predicted]]]:
        """Yield each text, its example and predictions, in order; ``look_ahead`` batches are read at a time.

        Raises:
            DataError: An object is no text.
        """
        pending = iter(texts)
        while chunk := list(islice(pending, batch_size * look_ahead)):
            contents = list(map(read_text, chunk))
            examples = list(map(self.build_text_example, contents))
            readable = [example for example in examples if example is not None]
            predictions = iter(self.predict_examples(readable, batch_size=batch_size))
            for content, example in zip(contents, examples, strict=True):
                yield content, example, next(predictions) if example is not None else ()

    def build_text_example(self, text: Text) -> Example | None:
        """Return an example of a text, to be labelled; None if it has no word.

        Raises:
            DataError: It is neither text nor words.
        """
        text = read_text(text)
        self._warn_of_other_words(text)
        return build_text_example(text, self.words)

    def build_pair_example(self, text: Text, head: Span | str, tail: Span | str) -> Example:
        """Return an example of a pair, to be labelled; as :func:`cotpd.student.examples.build_pair_example`."""
        text = read_text(text)
        self._warn_of_other_words(text)
        return build_pair_example(text, head, tail, self.words)

    def build_example(self, row: PredictionInput) -> Example | None:
        """Return an example of a row that passed its checks; None for a text without a word."""
        self._warn_of_other_words(row.content)
        return build_example(row, self.words)

    def _warn_of_other_words(self, text: str | TextInWords) -> None:
        """Warn once if text is split by a rule, and the student learnt from words that no rule makes."""
        if isinstance(text, str) and self.words.is_given and not self._has_warned:
            self._has_warned = True
            warn(self.words.explain_mismatch())

    @overload
    def predict_relations(self, pairs: Sequence[Pair], batch_size: int = ...) -> list[Relation]: ...

    @overload
    def predict_relations(self, pairs: Iterator[Pair], batch_size: int = ...) -> Iterator[Relation]: ...

    def predict_relations(
        self, pairs: Iterable[Pair], batch_size: int = 32
    ) -> list[Relation] | Iterator[Relation]:
        """Label the relation between two mentions of a text.

        Args:
            pairs: A list of (text, head, tail), which gives a list, or an iterator, which streams. Mentions are
                given as they stand in the text, or as offsets: in characters, or in words where the text is a list
                of words.
            batch_size: Pairs at a time.

        Raises:
            DataError: A mention is not in its text.
            ModelError: The model labels something else: use the method that the message names.
            ConfigError: A size below 1.
        """
        self._require_method("predict_relations")
        _require_positive(batch_size=batch_size)
        relations = self._find_relations(pairs, batch_size)
        return list(relations) if isinstance(pairs, Sequence) else relations

    def _find_relations(self, pairs: Iterable[Pair], batch_size: int) -> Iterator[Relation]:
        """Yield the relation of each pair, in order; a batch of pairs is read at a time.

        Raises:
            DataError: A mention is not in its text.
        """
        pending = iter(pairs)
        while chunk := list(islice(pending, batch_size)):
            examples = [self.build_pair_example(text, head, tail) for text, head, tail in chunk]
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


def _locate_mentions(text: str | TextInWords, example: Example, predictions: Sequence[Predicted]) -> Mentions:
    """Return predicted mentions in characters of a text, or in the words that were given."""
    mentions, spans = [], []
    for prediction in predictions:
        if isinstance(prediction, PredictedMention):
            start, end = example.offsets[prediction.start][0], example.offsets[prediction.end - 1][1]
            span = (start, end) if isinstance(text, str) else prediction.span
            mentions.append(Mention(*span, example.text[start:end], prediction.label, prediction.score))
            spans.append((start, end))
    return Mentions(example.text, mentions, spans)


def _take_label(_text: str | TextInWords, _example: Example, predictions: Sequence[Predicted]) -> PostLabel:
    """Return the one label of a post."""
    (prediction,) = predictions
    return PostLabel(prediction.label, prediction.score)
