"""An exported student, run by ONNX Runtime: no torch, no transformers.

Trade-off: posts of one length share a batch, so that next to nothing is computed for padding; batches vary in size
for that, and the processor is as busy with ten short posts as with two long ones.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cotpd.errors import ModelError
from cotpd.inference.export_record import REMEDY, TOKENIZER, Export, ExportedBackend
from cotpd.inference.machine import count_cores
from cotpd.student.batches import BatchArrays, collate_arrays
from cotpd.student.card import Card
from cotpd.student.decoders import Decoder
from cotpd.student.examples import Example, remove_labels
from cotpd.student.fast_tokenizer import FastTokenizer
from cotpd.student.labeller import Labeller
from cotpd.student.predictor import Backend
from cotpd.student.tasks import Predicted
from cotpd.student.views import Encoded, ExampleEncoder, View
from cotpd.student.windows import Ids

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Feed = dict[str, np.ndarray]  # inputs of the graph by name

_CALL = (
    40  # sub-words that are computed in the time that a further call takes: as much padding is worth avoiding one
)
_SUBWORDS = 16_384  # computed at a time: a long post has any number of windows, and memory has an end


class OnnxStudent(Labeller):
    """A student whose scores ONNX Runtime computes, in its own view alone.

    Args:
        export: The student's export, whose record was checked against the student.
        card: The student's card.
        backend: The graph that runs.

    Raises:
        ModelError: A file of the export is missing, damaged, refused, or too new for this ONNX Runtime.
    """

    def __init__(self, export: Export, card: Card, backend: ExportedBackend) -> None:
        record = export.record
        tokenizer = FastTokenizer(export.find_file(TOKENIZER), record.special_ids)
        self.backend: Backend = backend
        self.labels, self.views, self.params = card.labels, card.views[:1], card.student
        self.temperature, self.words = card.temperature, card.words
        self.example_encoder = ExampleEncoder(
            tokenizer, card.student, card.labels, record.vocabulary, record.reads
        )
        self._decoder = _build_decoder(export, card)
        self._session = open_session(export.find_graph(backend))

    def _order(self, encoded: Sequence[Encoded], batch_size: int) -> Iterator[list[int]]:
        """Yield batches of nearly equal length, the longest first: padding costs less than another call."""
        sizes = [example.size for example in encoded]
        order = sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)
        batch: list[int] = []
        padding = 0
        for index in order:
            padding += sizes[batch[0]] - sizes[index] if batch else 0
            if len(batch) == batch_size or padding > _CALL:
                yield batch
                batch, padding = [], 0
            batch.append(index)
        if batch:
            yield batch

    def _label(self, examples: Sequence[Encoded], view: View) -> list[list[Predicted]]:
        """Return the predictions for a batch."""
        batch = collate_arrays(examples, view, self.example_encoder)
        feed, columns = self._build_feed(batch)
        scores = self._run(feed)
        if self.labels.definition.scores_words:
            scores = scores[batch.window_of_state, columns]  # (B, T, K) of (N, S, K)
        return self._decoder.decode(scores, batch.mask, self.temperature)

    def collect_feeds(self, examples: Sequence[Example], batch_size: int) -> list[Feed]:
        """Return the inputs of the graph for some examples, in batches."""
        encoded = self.example_encoder.encode([remove_labels(example) for example in examples])
        feeds = []
        for indices in self._order(encoded, batch_size):
            batch = collate_arrays([encoded[index] for index in indices], self.views[0], self.example_encoder)
            feeds.append(self._build_feed(batch)[0])
        return feeds

    def _build_feed(self, batch: BatchArrays) -> tuple[Feed, Ids]:
        """Return the inputs of the graph, and the column of each state (B, T) among those of its window.

        A pair has one window with two states, which are scored together; words have any number of both.
        """
        lengths = batch.attention.sum(1, dtype=np.int32)
        if not self.labels.definition.scores_words:
            return {"ids": batch.ids, "lengths": lengths, "positions": batch.position_of_state}, batch.targets
        positions, columns = _place_by_window(batch)
        return {"ids": batch.ids, "lengths": lengths, "positions": positions}, columns

    def _run(self, feed: Feed) -> np.ndarray:
        """Return the scores of windows, some at a time.

        Raises:
            ModelError: ONNX Runtime cannot compute them.
        """
        windows, length = feed["ids"].shape
        count = max(1, _SUBWORDS // (length + self.params.prompt_length))
        outputs = []
        for start in range(0, windows, count):
            part = {name: array[start : start + count] for name, array in feed.items()}
            outputs.append(_run_session(self._session, part))
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)


def _place_by_window(batch: BatchArrays) -> tuple[Ids, Ids]:
    """Sort the states of posts by the window in which they are read.

    Returns:
        Positions of each window's states (N, S), zero behind its last, and the column of each state there (B, T).
    """
    windows, positions = batch.window_of_state[batch.mask], batch.position_of_state[batch.mask]
    order = np.argsort(windows, kind="stable")
    counts = np.bincount(windows, minlength=len(batch.ids))
    first = np.cumsum(counts) - counts
    ranks = np.empty(len(windows), np.int64)
    ranks[order] = np.arange(len(windows)) - np.repeat(first, counts)

    table = np.zeros((len(batch.ids), max(1, counts.max())), np.int64)
    table[windows, ranks] = positions
    columns = np.zeros(batch.mask.shape, np.int64)
    columns[batch.mask] = ranks
    return table, columns


def _build_decoder(export: Export, card: Card) -> Decoder:
    """Return the decoder of a student's task.

    Raises:
        ModelError: The record holds no scores of tags, or some of another inventory.
    """
    chain = export.record.chain
    weights = None if chain is None else (chain.start, chain.transitions, chain.end)
    try:
        return card.labels.definition.build_decoder(card.labels, weights)
    except ValueError as error:
        raise ModelError(f"{export.folder}: {error}", REMEDY) from None


def open_session(file: Path, threads: int | None = None) -> "InferenceSession":
    """Open a graph.

    Args:
        file: An ONNX file.
        threads: The number of threads that compute; all cores that this process may use unless given.

    Raises:
        ModelError: ONNX Runtime cannot read it.
    """
    import onnxruntime  # noqa: PLC0415  the extra onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or count_cores()
    options.log_severity_level = 3  # errors; it warns of operators that it computes with others
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class of their own
        raise ModelError(
            f"{file}: ONNX Runtime {onnxruntime.__version__} cannot read it: {error}", REMEDY
        ) from None


def _run_session(session: "InferenceSession", feed: Feed) -> np.ndarray:
    try:
        (scores,) = session.run(None, feed)
    except Exception as error:  # its errors have no class of their own
        raise ModelError(f"ONNX Runtime cannot compute the scores: {error}", REMEDY) from None
    return np.asarray(scores)
