"""From a student's folder to a predictor: command line, server, scoring and gate load here."""

from pathlib import Path
from typing import Literal

from cotpd.errors import ModelError
from cotpd.student.predictor import Backend, Predictor


def load_predictor(
    source: Path | str, backend: Backend | Literal["auto"] = "auto", device: str = "auto"
) -> Predictor:
    """Load a student from a folder or an address in MLflow.

    Args:
        source: As for :func:`cotpd.registry.model_address.find_student_folder`.
        backend: What runs it; auto takes the fastest that passed its parity check on this machine.
        device: Of the torch backend.

    Raises:
        ModelError: There is no model, it is damaged, or it has no such backend.
        ConfigError: The device does not exist.
    """
    if backend not in ("auto", "torch"):
        raise ModelError(f"{source} has no backend {backend}", "Leave --backend out.")
    # torch takes seconds to import, which an exported student shall not need
    from cotpd.student.student import Student  # noqa: PLC0415

    return Student.from_pretrained(source, device)
