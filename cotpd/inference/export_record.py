"""export.json, the record beside the graphs of an exported student: their origin, and how they agree with torch.

An export lies beside its student, in ``student.export`` for a folder ``student``: DVC and the registry watch the
student's own folder, which therefore stays as training wrote it.
"""

from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from cotpd.data.records import Record
from cotpd.errors import ModelError
from cotpd.files import compute_sha256
from cotpd.inference.machine import Machine
from cotpd.registry.version_export import find_cached_export
from cotpd.student.folder_digests import WEIGHTS

RECORD, TOKENIZER = "export.json", "tokenizer.json"
GRAPHS = {"onnx": "model.onnx", "onnx-int8": "model-int8.onnx"}
REMEDY = "Write it again: cotpd export."
ExportedBackend = Literal["onnx", "onnx-int8"]


class Verdict(Record):
    """The agreement of a graph's predictions with torch's on the same posts.

    ``same`` is the share of examples with the same predictions, and ``score_gap`` the largest difference of the
    scores among them. F1 is in percent: against the gold labels, or against torch's predictions where there are
    none (``has_gold`` false).
    """

    passed: bool
    reason: str = ""
    examples: int
    same: float
    score_gap: float
    has_gold: bool
    f1: float
    torch_f1: float


class Speed(Record):
    """Posts a second in bulk, and milliseconds of a single post, measured when the export was written."""

    posts_per_second: float
    milliseconds: float


class Chain(Record):
    """The scores of a linear-chain CRF, penalties included."""

    start: tuple[float, ...]
    transitions: tuple[tuple[float, ...], ...]
    end: tuple[float, ...]


class ExportRecord(Record):
    """export.json."""

    format: Literal[1] = 1
    weights: str
    """The sha256 of the student's model.safetensors."""
    files: dict[str, str]
    """The sha256 of each file beside this one, by name."""
    special_ids: dict[str, int | None]
    """The id of each special token by its role."""
    vocabulary: int = Field(ge=1)
    """Rows of the encoder's embedding table."""
    reads: int = Field(ge=1)
    """The most positions that the encoder reads."""
    chain: Chain | None
    """Of named entities; None for labels of pairs and posts."""
    verdicts: dict[ExportedBackend, Verdict]
    unquantized: tuple[str, ...] = ()
    """int8: the products that stayed in float, since they cost the accuracy."""
    posts: dict[str, str]
    """What the verdicts rest on: source, number and sha256."""
    speeds: dict[str, Speed] = Field(default_factory=dict)
    """By backend, torch included."""
    machine: Machine
    versions: dict[str, str]


class Export(NamedTuple):
    """An export's folder and its record."""

    folder: Path
    record: ExportRecord

    def find_graph(self, backend: ExportedBackend) -> Path:
        """Return the file of a graph that passed its verdict, its content checked.

        Raises:
            ModelError: It was refused, was not written, or is not the file that passed.
        """
        verdict = self.record.verdicts.get(backend)
        if verdict is None:
            raise ModelError(f"{self.folder}: holds no {backend}", REMEDY)
        if not verdict.passed:
            raise ModelError(
                f"{self.folder}: {backend} was refused when it was written: {verdict.reason}",
                "Use another backend, or look at docs/export.md.",
            )
        return self.find_file(GRAPHS[backend])

    def find_file(self, name: str) -> Path:
        """Return a file of the export, its content checked.

        Raises:
            ModelError: It is missing, or not the one that the record names.
        """
        file = self.folder / name
        try:
            digest = compute_sha256(file)
        except OSError as error:
            raise ModelError(f"{file}: {error.strerror}", REMEDY) from None
        if digest != self.record.files.get(name):
            raise ModelError(f"{file}: changed or damaged since it was written", REMEDY)
        return file


def name_export_folder(student: Path) -> Path:
    """Return where the export of a student's folder lies."""
    student = student.resolve() if student.name in ("", "..") else student
    return student.with_name(f"{student.name}.export")


def read_export(student: Path) -> Export | None:
    """Return the export beside a student's folder, or that of a registered version with its weights; else None.

    Raises:
        ModelError: Its record is damaged, or of another release.
    """
    folder = name_export_folder(student)
    if not folder.is_dir() and (student / WEIGHTS).is_file():
        folder = find_cached_export(compute_sha256(student / WEIGHTS))
    file = folder / RECORD
    if not folder.is_dir():
        return None
    try:
        return Export(folder, ExportRecord.model_validate_json(file.read_bytes()))
    except FileNotFoundError:
        raise ModelError(f"{file}: missing", REMEDY) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ModelError(f"{file}: damaged, or of another release: {where}: {first['msg']}", REMEDY) from None
    except OSError as error:
        raise ModelError(f"{file}: {error.strerror}", REMEDY) from None


def is_of_weights(export: Export, student: Path) -> bool:
    """Whether an export was made from the weights that now lie in a student's folder."""
    return export.record.weights == compute_sha256(student / WEIGHTS)
