"""The recorder of a training's losses and scores; cotpd.registry.training_curves sends them to MLflow."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol


class CurveRecorder(Protocol):
    """Records the losses and scores of one training. No method raises: a training outlives whatever records it."""

    def record(self, fingerprint: str) -> AbstractContextManager[None]:
        """Record the training with this fingerprint inside the block, and how the block ends."""
        ...

    def log_step(self, number: int, losses: Mapping[str, float]) -> None:
        """Log the parts of a step's loss; steps count from 1 and go on after a kill."""
        ...

    def log_epoch(self, row: Mapping[str, Any]) -> None:
        """Log a row of the training's history: an epoch's mean losses and its scores."""
        ...

    def close(self, fingerprint: str) -> None:
        """End the record of a training that was killed after it had saved its model."""
        ...
