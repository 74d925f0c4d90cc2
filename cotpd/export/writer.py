"""Writing an export: the exact graph, the int8 graph, their verdicts and their speeds, whole or not at all."""

from collections.abc import Sequence
from importlib.metadata import version as read_installed_version
from pathlib import Path

from cotpd.errors import ModelError
from cotpd.export.onnx_network import write_graph
from cotpd.export.parity import Reference, is_close, judge
from cotpd.export.posts import Posts
from cotpd.export.quantization import Quantizer
from cotpd.files import compute_sha256
from cotpd.inference.export_record import (
    GRAPHS,
    RECORD,
    TOKENIZER,
    Chain,
    Export,
    ExportedBackend,
    ExportRecord,
    Verdict,
    name_export_folder,
)
from cotpd.inference.machine import describe_machine
from cotpd.inference.onnx_student import OnnxStudent
from cotpd.inference.speed import measure_speeds
from cotpd.storage import report_full_disk
from cotpd.student.card import read_card
from cotpd.student.examples import Example
from cotpd.student.folder_digests import WEIGHTS
from cotpd.student.folders import make_partial_folder, replace_folder
from cotpd.student.labeller import Labeller
from cotpd.student.student import Student
from cotpd.student.views import SPECIAL_TOKENS

_PACKAGES = ("onnx", "onnxruntime", "tokenizers", "torch", "transformers")
_EXCLUDED = (0, 1, 2, 3, 4, 6, 8, 12)  # products left in float, as many as are tried one after the other
_TIMED = 64  # held-out posts whose prediction is timed
_CALIBRATING = 24  # posts a batch
_OVERFLOWING = ("avx2", "avx512")  # without VNNI two products of bytes are summed in 16 bits


def write_export(folder: Path, posts: Posts, *, int8: bool = True, target: Path | None = None) -> Export:
    """Export a student's folder, and judge each graph.

    Args:
        folder: The folder of the student.
        posts: What it is judged with.
        target: The export's folder; beside the student unless given.
        int8: Whether to write an int8 graph, too.

    Returns:
        The export; a graph that was refused is not in it, and its verdict says why.

    Raises:
        ModelError: The student cannot be loaded or traced.
        StorageError: The disk is full.
    """
    student = Student.from_pretrained(folder, "cpu")
    target = target or name_export_folder(folder)
    partial = make_partial_folder(target)
    with report_full_disk(target, partial):
        writer = _Writer(student, folder, partial, posts)
        writer.write_exact()
        if int8 and writer.verdicts["onnx"].passed:
            writer.write_int8()
        record = writer.finish()
    replace_folder(partial, target)
    return Export(target, record)


class _Writer:
    """An export in the making, in a partial folder."""

    def __init__(self, student: Student, source: Path, folder: Path, posts: Posts) -> None:
        self.student, self.card, self.folder, self.posts = student, read_card(source), folder, posts
        self.verdicts: dict[ExportedBackend, Verdict] = {}
        self.unquantized: list[str] = []
        self.weights = compute_sha256(source / WEIGHTS)
        self.reference = _predict_reference(student, posts.heldout, posts.has_gold)
        (folder / TOKENIZER).write_text(_format_tokenizer(student), "utf-8")

    def write_exact(self) -> None:
        """Write the graph in float32, and judge it."""
        write_graph(self.student.model, self.folder / GRAPHS["onnx"])
        self._judge("onnx")

    def write_int8(self) -> None:
        """Write the graph in int8 with as few products in float as its accuracy allows, and judge it."""
        feeds = self._load("onnx").collect_feeds(self.posts.calibrating, _CALIBRATING)
        largest = 63 if describe_machine().instructions in _OVERFLOWING else 127
        quantizer = Quantizer(self.folder / GRAPHS["onnx"], feeds, largest)
        ranking = quantizer.rank()
        choosing = _predict_reference(self.student, self.posts.choosing, self.posts.has_gold)
        for count in _EXCLUDED:
            self.unquantized = ranking[:count]
            quantizer.write(self.folder / GRAPHS["onnx-int8"], self.unquantized)
            predictions = self._load("onnx-int8").predict_examples(choosing.examples)
            if is_close(predictions, choosing):
                break
        self._judge("onnx-int8")

    def finish(self) -> ExportRecord:
        """Measure what passed beside torch, and write the record."""
        students: dict[str, Labeller] = {"torch": self.student}
        students |= {name: self._load(name) for name, verdict in self.verdicts.items() if verdict.passed}
        speeds = measure_speeds(students, self.posts.heldout[:_TIMED])
        record = self._build_record(self.verdicts).model_copy(update={"speeds": speeds})
        (self.folder / RECORD).write_text(record.model_dump_json(indent=2) + "\n", "utf-8")
        return record

    def _judge(self, name: ExportedBackend) -> None:
        """Add the verdict on a graph, and remove the graph if it is refused."""
        predictions = self._load(name).predict_examples(self.reference.examples)
        self.verdicts[name] = judge(name, predictions, self.reference)
        if not self.verdicts[name].passed:
            (self.folder / GRAPHS[name]).unlink()

    def _load(self, name: ExportedBackend) -> OnnxStudent:
        """Load a graph before it has a verdict."""
        trusted = Verdict(passed=True, examples=0, same=1, score_gap=0, has_gold=False, f1=0, torch_f1=0)
        return OnnxStudent(Export(self.folder, self._build_record({name: trusted})), self.card, name)

    def _build_record(self, verdicts: dict[ExportedBackend, Verdict]) -> ExportRecord:
        student, tokenizer = self.student, self.student.tokenizer
        files = (path for path in sorted(self.folder.iterdir()) if path.name != RECORD)
        return ExportRecord(
            weights=self.weights,
            files={path.name: compute_sha256(path) for path in files},
            special_ids={
                name: getattr(tokenizer, f"{name}_token_id") for name in (*SPECIAL_TOKENS, "mask", "unk")
            },
            vocabulary=student.model.vocabulary,
            reads=student.reads,
            chain=_read_chain(student),
            verdicts=verdicts,
            unquantized=tuple(self.unquantized),
            posts=self.posts.origin,
            machine=describe_machine(),
            versions={name: read_installed_version(name) for name in _PACKAGES},
        )


def _format_tokenizer(student: Student) -> str:
    """Return a student's tokenizer as tokenizer.json.

    Raises:
        ModelError: It is of a kind that `tokenizers` does not have.
    """
    backend = getattr(student.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            f"the tokenizer of {student.params.encoder} has no fast form",
            "Predict with torch, or use another encoder.",
        )
    text: str = backend.to_str()
    return text


def _read_chain(student: Student) -> Chain | None:
    """Return the scores of a student's CRF; None if it has none."""
    crf = getattr(student.model.head, "crf", None)
    if crf is None:
        return None
    start, transitions, end = (weight.detach().tolist() for weight in crf.compute_weights())
    return Chain(start=start, transitions=transitions, end=end)


def _predict_reference(student: Student, examples: Sequence[Example], has_gold: bool) -> Reference:
    predictions = student.predict_examples(examples, progress=True)
    return Reference(examples, predictions, has_gold, student.labels.definition)
