"""A version that is loaded, warm and ready to answer, with the name under which answers cite it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cotpd.inference.loading import load_predictor
from cotpd.student.prediction_input import PredictionInput, predict_inputs, read_input
from cotpd.student.tasks import find_task

if TYPE_CHECKING:
    from cotpd.student.predictor import Predictor
    from cotpd.student.tasks import TaskName

_WARM_UP_COPIES = (1, 4)  # texts a batch; few, as the version before it answers meanwhile
_PADDED_TEXTS = 16
"""Texts that are padded to one length: the batch is sorted by length and read in parts, as padding costs time."""


@dataclass(frozen=True)
class ServedVersion:
    """A loaded student.

    Attributes:
        name: The name of the registered model, or of the folder.
        version: Its number; None for a folder or a run.
        source: The address it was loaded from.
        predictor: Ready to predict.
    """

    name: str
    version: str | None
    source: str
    predictor: "Predictor"

    @property
    def task(self) -> "TaskName":
        """ner or re."""
        return self.predictor.labels.task

    def describe(self) -> dict[str, Any]:
        """Return what answers say of the version."""
        return {"name": self.name, "version": self.version, "backend": self.predictor.backend}

    def predict(self, inputs: Sequence[PredictionInput]) -> list[dict[str, Any]]:
        """Predict a batch, in order."""
        return predict_inputs(self.predictor, inputs, _PADDED_TEXTS)


def load_version(
    source: str, name: str | None = None, version: str | None = None, backend: Any = "auto", device: str = "auto"
) -> ServedVersion:
    """Load a student and let it predict a few texts, so that the first client does not wait for that.

    Args:
        source: A folder, or an address in MLflow.
        name: The name of the registered model; else the last part of the source.
        version: Its number.
        backend, device: As :func:`cotpd.inference.loading.load_predictor` takes them.

    Raises:
        ModelError: There is no such model, or its files are damaged or gone.
        ConfigError: There is no such device.
    """
    loaded = ServedVersion(
        name or Path(source).name or source, version, source, load_predictor(source, backend, device)
    )
    _run_warm_up(loaded)
    return loaded


def _run_warm_up(version: ServedVersion) -> None:
    example = find_task(version.task).example_row
    row = read_input(version.task, example, "the warm-up")
    for count in _WARM_UP_COPIES:
        version.predict([row] * count)
