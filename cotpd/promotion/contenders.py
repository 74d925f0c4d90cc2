"""A model in the gate: loaded from where it lies, and what it predicts on the held-out posts, now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from cotpd.evaluation.predictions import build_predictions
from cotpd.inference.loading import load_predictor
from cotpd.student.predictor import Backend, Predictor
from cotpd.student.tasks import Predicted, Prediction, TaskName

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
    """What runs the models: the library and the device, as for ``load_predictor``."""

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
        """What runs it."""
        return self.predictor.backend

    def predict(self, examples: Sequence["Example"], task: TaskName) -> list[Prediction]:
        """Return the model's predictions on annotated examples, in their order."""
        predicted = self.predictor.predict_examples(examples, batch_size=BATCH_SIZE)
        rows = build_predictions(examples, predicted, task=task, split="test", model=self.address)
        return list(rows)


def load_contender(address: str, runner: Runner) -> Contender:
    """Load a model.

    Raises:
        ModelError: There is none, or its files are gone, changed or of another format.
        ConfigError: The device does not exist.
    """
    predictor = load_predictor(address, runner.backend, runner.device)
    return Contender(address, cast("ExamplePredictor", predictor))
