"""The student that scores, with a name that stays true: an alias is read once, and the files are digested."""

import hashlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cotpd.errors import ModelError
from cotpd.inference.loading import load_predictor
from cotpd.registry.model_address import find_student_folder, parse_version_address
from cotpd.registry.tracking_store import connect, read_store_params
from cotpd.registry.version_digests import format_digests
from cotpd.registry.versions import find_version

if TYPE_CHECKING:
    from cotpd.student.predictor import Predictor
    from cotpd.student.tasks import TaskName


class ScoringModel(NamedTuple):
    """A loaded student.

    Attributes:
        predictor: Ready to predict.
        name: The name of the registered model, or of the folder or run.
        version: Its number; None for a folder or a run.
        digest: The sha256 of its files' names and digests.
        address: Where it was loaded from: a folder, or a version in MLflow.
        device: The device that was asked for.
    """

    predictor: "Predictor"
    name: str
    version: str | None
    digest: str
    address: str = ""
    device: str = "auto"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the address: another machine loads the same files, with the same backend."""
        return _load_again, (self.address, self.predictor.backend, self.device, self.digest)

    @property
    def task(self) -> "TaskName":
        """Return ner or re."""
        return self.predictor.labels.task

    def describe(self) -> dict[str, Any]:
        """Return what a scored file says of the model."""
        return {
            "model": self.name,
            "version": self.version,
            "backend": self.predictor.backend,
            "task": self.task,
            "digest": self.digest,
        }


def load_scoring_model(address: str, backend: Any = "auto", device: str = "auto") -> ScoringModel:
    """Load a student from a folder or from MLflow.

    Args:
        address: As for :func:`cotpd.registry.model_address.find_student_folder`.
        backend, device: As :func:`cotpd.inference.loading.load_predictor` takes them.

    Raises:
        ModelError: There is no such model, or its files are damaged or gone.
        ConfigError: The device does not exist.
    """
    address, name, version = _pin_version(address)
    digest = hashlib.sha256(format_digests(find_student_folder(address)).encode()).hexdigest()
    return ScoringModel(load_predictor(address, backend, device), name, version, digest, address, device)


def _load_again(address: str, backend: str, device: str, digest: str) -> ScoringModel:
    """Load a model that another process has loaded before.

    Raises:
        ModelError: It is not there, or its files differ.
    """
    model = load_scoring_model(address, backend, device)
    if model.digest != digest:
        raise ModelError(
            f"{address}: on {socket.gethostname()} its files differ from those of the process that scores",
            "Name a model that all machines share: a folder on a shared disk, or a version in MLflow.",
        )
    return model


def _pin_version(address: str) -> tuple[str, str, str | None]:
    """Return an address without an alias, which may move while a batch is scored, with its name and number."""
    parts = parse_version_address(address)
    if parts is None:
        return address, address if ":" in address else Path(address).name or address, None
    number = parts.number
    if number is None:
        client = connect(read_store_params(Path.cwd()), Path.cwd())
        number = str(find_version(client, parts.name, str(parts.alias)).number)
    return f"models:/{parts.name}/{number}", parts.name, number
