"""Loading a student's folder as a predictor, for command line, server, scoring and gate."""

from pathlib import Path
from typing import Literal

from cotpd.errors import ConfigError, ModelError
from cotpd.escaping import warn
from cotpd.inference.export_record import REMEDY, Export, ExportedBackend, is_of_weights, read_export
from cotpd.inference.fastest import choose_fastest, is_runtime_installed
from cotpd.registry.model_address import find_student_folder
from cotpd.student.card import read_card
from cotpd.student.folder_digests import verify_parts
from cotpd.student.folders import recover_interrupted_swap
from cotpd.student.predictor import Backend, Predictor

BackendName = Backend | Literal["auto"]
BACKENDS: tuple[BackendName, ...] = ("auto", "torch", "onnx", "onnx-int8")


def load_predictor(source: Path | str, backend: BackendName = "auto", device: str = "auto") -> Predictor:
    """Load a student from a folder or an address in MLflow; its ``backend`` says what runs it.

    Args:
        source: As for :func:`cotpd.registry.model_address.find_student_folder`.
        backend: What runs it. auto takes the fastest export that passed its parity check; and torch if there is
            none of these weights, ONNX Runtime is not installed, or a device other than the CPU is named.
        device: The device of the torch backend.

    Raises:
        ModelError: There is no model, it or its export is damaged, or it has no such backend.
        ConfigError: The device does not exist, or there is no backend of that name.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"there is no backend {backend!r}", f"Use one of {', '.join(BACKENDS)}.")
    if backend in ("onnx", "onnx-int8") and device not in ("auto", "cpu"):
        raise ConfigError(f"{backend} runs on the processor, not on {device}", "Leave the device out.")
    recover_interrupted_swap(Path(source))
    folder = find_student_folder(source)
    if backend == "auto":
        backend = _choose_backend(folder, device)
    if backend == "torch":
        # torch takes seconds to import, which an exported student does not need
        from cotpd.student.student import Student  # noqa: PLC0415

        return Student.from_pretrained(folder, device, only_predicts=True)
    return _load_export(folder, backend)


def _choose_backend(folder: Path, device: str) -> Backend:
    """Return the fastest export of a student that may run here, otherwise torch.

    Raises:
        ModelError: The export's record is damaged.
    """
    if device not in ("auto", "cpu") or not is_runtime_installed():
        return "torch"
    export = read_export(folder)
    if export is None:
        return "torch"
    if not is_of_weights(export, folder):
        warn(f"warning: {export.folder} was made from other weights; torch predicts instead. {REMEDY}")
        return "torch"
    return choose_fastest(export, read_card(folder))


def _load_export(folder: Path, backend: ExportedBackend) -> Predictor:
    """Load an exported student, every file checked before it is read.

    Raises:
        ModelError: There is no export, it is of other weights, or a file is damaged.
    """
    # it imports NumPy's and the student's modules for it alone
    from cotpd.inference.onnx_student import OnnxStudent  # noqa: PLC0415

    card, export = read_card(folder), _require_export(folder)
    verify_parts(folder)
    if not is_of_weights(export, folder):
        raise ModelError(f"{export.folder}: made from other weights than those in {folder}", REMEDY)
    return OnnxStudent(export, card, backend)


def _require_export(folder: Path) -> Export:
    export = read_export(folder)
    if export is None:
        raise ModelError(f"{folder} has no export", "Write one: cotpd export, or use --backend torch.")
    return export
