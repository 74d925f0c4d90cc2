"""Which training mentions (or pairs) a student reads alike: nearest neighbours in its encoder's states.

A mention is the mean of its words' first sub-word states in the student's own view, a pair the states of its two
opening markers: what the head reads. Trade-off: all training mentions are compared one by one, exactly, with one
matrix product; with some ten thousand of them that costs less than an index that approximates.
"""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch

from cotpd.errors import DataError
from cotpd.models import cache_folder
from cotpd.progress import Progress
from cotpd.student.batches import collate, reading_order, sizes
from cotpd.student.examples import Example, Span
from cotpd.student.student import Student

FORMAT = 1  # raised when the meaning of a kept index changes
PAIR: Span = (0, 0)  # the place of a relation, as in a prediction


class Neighbour(NamedTuple):
    """A training example, its mention (tokens; of a pair: 0, 0), its gold label, and the cosine similarity."""

    example: Example
    start: int
    end: int
    label: str
    similarity: float


class Neighbours:
    """The training mentions of a student, ready to be searched.

    Args:
        student: Whose states are compared.
        examples: Training examples with their gold annotation.
        states: Unit vectors of their mentions in order, as :func:`mention_states` gives them.
    """

    def __init__(self, student: Student, examples: Sequence[Example], states: np.ndarray) -> None:
        self.student, self.examples, self.states = student, examples, states
        self.places = [(at, *spot) for at, example in enumerate(examples) for spot in _gold(example)]

    @classmethod
    def build(cls, student: Student, folder: Path, examples: Sequence[Example], progress: bool = True) -> Self:
        """Read the training examples once, or take their states from the cache.

        The cache lies below COTPD_CACHE, named by the sha256 of weights and examples, and not beside the weights:
        a model's folder is a pipeline's output or a registered version, and both must stay as they are.

        Args:
            student: Loaded from ``folder``.
            folder: Its weights name the index.
            examples: Training examples.
            progress: Whether to show how far it has come.

        Raises:
            DataError: There is no gold mention or pair, or a label that the student does not know.
        """
        spans = [[(start, end) for start, end, _ in _gold(example)] for example in examples]
        if not any(spans):
            what = "mention" if student.labels.task == "ner" else "pair"
            raise DataError(
                f"no training post has a {what}", "Explain with the data that the student learnt from."
            )
        path = cache_folder() / "neighbours" / f"{_key(folder, examples)}.safetensors"
        states = _read(path)
        if states is None or len(states) != sum(map(len, spans)):
            states = mention_states(student, examples, spans, progress=progress).astype(np.float16)
            _write(path, states)
        return cls(student, examples, states.astype(np.float32))

    def nearest(
        self, examples: Sequence[Example], spans: Sequence[Sequence[Span]], count: int
    ) -> list[list[list[Neighbour]]]:
        """The nearest training posts of each span of each example, the nearest first, no post twice."""
        if not any(spans):
            return [[] for _ in spans]
        queries = mention_states(self.student, examples, spans)
        found = iter(self._of(similarity, count) for similarity in queries @ self.states.T)
        return [[next(found) for _ in some] for some in spans]

    def _of(self, similarity: np.ndarray, count: int) -> list[Neighbour]:
        chosen: dict[int, Neighbour] = {}
        for place in np.argsort(-similarity, kind="stable"):
            at, start, end, label = self.places[place]
            if at not in chosen:
                chosen[at] = Neighbour(self.examples[at], start, end, label, float(similarity[place]))
            if len(chosen) == count:
                break
        return list(chosen.values())


def mention_states(
    student: Student,
    examples: Sequence[Example],
    spans: Sequence[Sequence[Span]],
    batch_size: int = 32,
    progress: bool = False,
) -> np.ndarray:
    """Unit vectors of spans, in the order of the examples and of each one's spans; float32, shape (spans, d).

    Args:
        student: Read in its own view.
        examples: Posts or pairs.
        spans: Of each example, in tokens; of a pair ``(0, 0)``, whatever they are.
        batch_size: Examples at a time.
        progress: Whether to show how far it has come.
    """
    encoded = student.tokens.encode(examples)
    rows: list[np.ndarray] = [np.empty(0)] * len(examples)
    with Progress("reading training posts", len(examples), show=progress) as bar:
        for chosen in reading_order(sizes(encoded, student.tokens), batch_size):
            batch = collate([encoded[i] for i in chosen], student.views[0], student.tokens).to(student.device)
            with torch.inference_mode():
                states = student.model.states(batch, student.views[0]).float().cpu().numpy()
            for i, one in zip(chosen, states, strict=True):
                rows[i] = _vectors(one, spans[i], student.labels.task)
            bar.advance(len(chosen))
    found = np.concatenate(rows) if rows else np.empty((0, 0))
    return (found / np.linalg.norm(found, axis=1, keepdims=True).clip(min=1e-12)).astype(np.float32)


def _vectors(states: np.ndarray, spans: Sequence[Span], task: str) -> np.ndarray:
    """From states (T, d) of an example to (spans, d); a pair's two are put end to end: (spans, 2d)."""
    if task == "re":
        return np.stack([states.reshape(-1)] * len(spans)) if spans else np.empty((0, states.size))
    return np.stack([states[a:b].mean(0) for a, b in spans]) if spans else np.empty((0, states.shape[1]))


def _gold(example: Example) -> list[tuple[int, int, str]]:
    if example.head is not None:
        return [(*PAIR, example.label)] if example.label is not None else []
    return [(one.start, one.end, one.type or "") for one in example.entities]


def _key(folder: Path, examples: Sequence[Example]) -> str:
    """Hash of all that the states depend on: weights, tokenizer and configuration, the examples' text and gold."""
    digest = hashlib.sha256(f"{FORMAT}\n".encode())
    for file in sorted(path for path in folder.rglob("*") if path.suffix in (".safetensors", ".json")):
        with file.open("rb") as data:
            content = hashlib.file_digest(data, "sha256").hexdigest()
        digest.update(f"{file.relative_to(folder).as_posix()} {content}\n".encode())
    for example in examples:
        digest.update(example.model_dump_json(exclude={"caption", "knowledge", "file", "line"}).encode())
    return digest.hexdigest()


def _read(path: Path) -> np.ndarray | None:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)["states"]
    except (FileNotFoundError, SafetensorError, KeyError):  # a damaged index is made again
        return None


def _write(path: Path, states: np.ndarray) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"states": states}, partial)
        partial.replace(path)
    except (OSError, SafetensorError):  # a cache that cannot be written costs time and nothing else
        with suppress(OSError):
            partial.unlink(missing_ok=True)
