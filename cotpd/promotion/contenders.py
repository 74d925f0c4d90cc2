"""A model in the gate: loaded from where it lies, and what it predicts on the held-out posts, now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from cotpd.data.records import WordSplitting
from cotpd.evaluation.predictions import build_predictions
from cotpd.inference.loading import load_predictor
from cotpd.student.examples import find_touched, split_example
from cotpd.student.predictor import Backend, Predictor
from cotpd.student.tasks import Predicted, PredictedMention, Prediction, TaskName

if TYPE_CHECKING:
    from cotpd.student.examples import Example
    from cotpd.student.labels import LabelSet

BATCH_SIZE = 32


class ExamplePredictor(Predictor, Protocol):
    """A predictor that keeps the words of annotated posts, so that its mentions compare with the gold ones."""

    def predict_examples(
        self, examples: Sequence["Example"], *, batch_size: int = BATCH_SIZE
    ) -> list[list[Predicted]]:
        """Label examples, in their order, each as a list of mentions or of its one relation."""
        ...


@dataclass(frozen=True)
class Runner:
    """The library and the device that run the models, as for ``load_predictor``."""

    backend: Any = "auto"
    device: str = "auto"


@dataclass(frozen=True)
class Contender:
    """A model that was loaded.

    Attributes:
        address: A folder, or an address in MLflow.
        predictor: The model.
    """

    address: str
    predictor: ExamplePredictor

    @property
    def labels(self) -> "LabelSet":
        """The inventory."""
        return self.predictor.labels

    @property
    def backend(self) -> Backend:
        """The library that runs it."""
        return self.predictor.backend

    @property
    def words(self) -> WordSplitting:
        """The rule by which it splits text into words."""
        return self.predictor.words

    def predict(
        self, examples: Sequence["Example"], task: TaskName, words: WordSplitting | None = None
    ) -> list[Prediction]:
        """Return the model's predictions on annotated examples, in their order.

        Args:
            examples: Held-out ones.
            task: That they are annotated for.
            words: How their text became words. A model of another rule reads the text by its own, as it would at
                work; its mentions are then shown in the examples' words.
        """
        if words is None or self.words.is_given or self.words.text_rule == words.text_rule:
            predicted = self.predictor.predict_examples(examples, batch_size=BATCH_SIZE)
        else:
            resplit = [split_example(example, self.words) for example in examples]
            pairs = zip(
                examples, resplit, self.predictor.predict_examples(resplit, batch_size=BATCH_SIZE), strict=True
            )
            predicted = [_show_in_words(example, other, labels) for example, other, labels in pairs]
        rows = build_predictions(examples, predicted, task=task, split="test", model=self.address)
        return list(rows)


def _show_in_words(example: "Example", resplit: "Example", predicted: Sequence[Predicted]) -> list[Predicted]:
    """Return the predictions on a resplit example in the example's own words; none shares a word with another."""
    shown: list[Predicted] = []
    end = 0
    for prediction in predicted:
        if isinstance(prediction, PredictedMention):
            characters = resplit.offsets[prediction.start][0], resplit.offsets[prediction.end - 1][1]
            span = find_touched(example.offsets, characters, example.text)
            if span[0] < end:
                continue
            end = span[1]
            prediction = prediction._replace(start=span[0], end=span[1])
        shown.append(prediction)
    return shown


def load_contender(address: str, runner: Runner) -> Contender:
    """Load a model.

    Raises:
        ModelError: There is none, or its files are gone, changed or of another format.
        ConfigError: The device does not exist.
    """
    predictor = load_predictor(address, runner.backend, runner.device)
    return Contender(address, cast("ExamplePredictor", predictor))
