"""Which training mentions (or pairs) a student reads alike: nearest neighbours in its encoder's states.

A mention is the mean of its words' first sub-word states in the student's own view, a pair the states of its two
opening markers: what the head reads. Trade-off: all training mentions are compared one by one, exactly, with one
matrix product; with some ten thousand of them that costs less than an index that approximates.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from cotpd.errors import DataError, StorageError
from cotpd.files import compute_sha256, write_atomically
from cotpd.progress import Progress
from cotpd.student.batches import collate, measure_sizes, order_for_reading
from cotpd.student.examples import Example
from cotpd.student.student import Student
from cotpd.student.tasks import Span, Task
from cotpd.weights import find_cache_folder

FORMAT = 1  # raised when the meaning of a cached index changes


class Neighbour(NamedTuple):
    """A training example, its mention's tokens (None: its pair), its gold label, and the cosine similarity."""

    example: Example
    span: Span | None
    label: str
    similarity: float


class Neighbours:
    """The training mentions of a student, ready to be searched.

    Args:
        student: Whose states are compared.
        examples: Training examples with their gold annotation.
        states: Unit vectors of their mentions in order, as :func:`compute_mention_states` returns them.
    """

    def __init__(self, student: Student, examples: Sequence[Example], states: np.ndarray) -> None:
        self.student, self.examples, self.states = student, examples, states
        # for each row of the states: index of the example, span and gold label
        self.mentions = [
            (index, span, label)
            for index, example in enumerate(examples)
            for span, label in student.labels.definition.list_targets(example)
        ]

    @classmethod
    def build(cls, student: Student, folder: Path, examples: Sequence[Example], progress: bool = True) -> Self:
        """Read the training examples once, or take their states from the cache.

        The cache lies below COTPD_CACHE, named by the sha256 of weights and examples, and not beside the weights:
        a model's folder is a pipeline's output or a registered version, and both must stay as they are.

        Args:
            student: Loaded from ``folder``.
            folder: Its weights name the index.
            examples: Training examples.
            progress: Whether to show a progress bar.

        Raises:
            DataError: There is no gold mention or pair, or a label that the student cannot predict.
        """
        task = student.labels.definition
        spans = [_list_gold_spans(task, example) for example in examples]
        if not any(spans):
            raise DataError(
                f"no training post has a {task.target_noun}",
                "Explain with the data that the student learnt from.",
            )
        path = find_cache_folder() / "neighbours" / f"{_compute_key(folder, examples)}.safetensors"
        states = _read_states(path)
        if states is None or len(states) != sum(map(len, spans)):
            states = compute_mention_states(student, examples, spans, progress=progress).astype(np.float16)
            _write_states(path, states)
        return cls(student, examples, states.astype(np.float32))

    def find_nearest(
        self, examples: Sequence[Example], spans: Sequence[Sequence[Span | None]], count: int
    ) -> list[list[list[Neighbour]]]:
        """Return the nearest training posts of each span of each example, the nearest first, no post twice.

        Args:
            examples: Posts or pairs.
            spans: Of each example, in tokens; None for its pair.
            count: The most posts for each span.
        """
        if not any(spans):
            return [[] for _ in spans]
        queries = compute_mention_states(self.student, examples, spans)
        neighbours = iter(self._select_nearest(similarity, count) for similarity in queries @ self.states.T)
        return [list(islice(neighbours, len(example_spans))) for example_spans in spans]

    def _select_nearest(self, similarity: np.ndarray, count: int) -> list[Neighbour]:
        """Return the training posts with the most similar mentions; ``similarity`` is (mentions,)."""
        nearest: dict[int, Neighbour] = {}
        for mention in np.argsort(-similarity, kind="stable"):
            index, span, label = self.mentions[mention]
            if index not in nearest:
                nearest[index] = Neighbour(self.examples[index], span, label, float(similarity[mention]))
            if len(nearest) == count:
                break
        return list(nearest.values())


def compute_mention_states(
    student: Student,
    examples: Sequence[Example],
    spans: Sequence[Sequence[Span | None]],
    batch_size: int = 32,
    progress: bool = False,
) -> np.ndarray:
    """Return unit vectors of spans, in the order of the examples and of each one's spans; float32, (spans, d).

    Args:
        student: Read in its own view.
        examples: Posts or pairs.
        spans: The spans of each example, in tokens; None for its pair.
        batch_size: Examples at a time.
        progress: Whether to show a progress bar.
    """
    encoder, view, task = student.example_encoder, student.views[0], student.labels.definition
    encoded = encoder.encode(examples)
    vectors: list[np.ndarray] = [np.empty(0)] * len(examples)
    with Progress("reading training posts", len(examples), show=progress) as bar:
        for indices in order_for_reading(measure_sizes(encoded, encoder), batch_size):
            batch = collate([encoded[index] for index in indices], view, encoder).to(student.device)
            with torch.inference_mode():
                states = student.model.compute_states(batch, view).float().cpu().numpy()
            for index, example_states in zip(indices, states, strict=True):
                count = len(encoded[index].window_of_state)  # behind it is padding
                vectors[index] = task.pool_states(example_states[:count], spans[index])
            bar.advance(len(indices))

    stacked = np.concatenate(vectors) if vectors else np.empty((0, 0))
    unit: np.ndarray = stacked / np.linalg.norm(stacked, axis=1, keepdims=True).clip(min=1e-12)
    return unit.astype(np.float32)


def _list_gold_spans(task: Task, example: Example) -> list[Span | None]:
    """Return the span of each gold mention of an example, or None for its pair."""
    return [span for span, _ in task.list_targets(example)]


def _compute_key(folder: Path, examples: Sequence[Example]) -> str:
    """Return a hash of everything that the states depend on: the model's files, the examples' text and gold."""
    digest = hashlib.sha256(f"{FORMAT}\n".encode())
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json")):
        digest.update(f"{file.relative_to(folder).as_posix()} {compute_sha256(file)}\n".encode())
    for example in examples:
        digest.update(example.model_dump_json(exclude={"caption", "knowledge", "file", "line"}).encode())
    return digest.hexdigest()


def _read_states(path: Path) -> np.ndarray | None:
    """Return the states of a cached index; None if there is none or it is damaged."""
    try:
        return load_file(path)["states"]
    except (FileNotFoundError, SafetensorError, KeyError):
        return None


def _write_states(path: Path, states: np.ndarray) -> None:
    """Write an index to the cache; a cache that cannot be written costs time and nothing else."""
    with suppress(OSError, SafetensorError, StorageError), write_atomically(path, shared=True) as partial:
        save_file({"states": states}, partial)
