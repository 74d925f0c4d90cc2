"""Frozen teachers' soft targets for the examples that a student learns from: computed once, written to a file.

Trade-off: of a distribution over tag sequences only the expectations are kept that a cross-entropy needs (tags and
transitions), some hundred bytes a word. The student learns the exact sequence distribution, each of its epochs
costs text alone, and the average of several teachers takes no more space than one.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from cotpd.devices import Bf16, make_autocast
from cotpd.errors import ModelError
from cotpd.progress import Progress
from cotpd.storage import report_full_disk
from cotpd.student.batches import collate, measure_sizes, order_for_reading
from cotpd.student.crf import SoftTargets
from cotpd.student.examples import Example, remove_labels
from cotpd.student.labels import LabelSet
from cotpd.student.student import Student

TENSORS, NAMES = "targets.safetensors", "targets.json"
_REMEDY = "Run the teach step again."


class Targets:
    """Soft targets by example id.

    Args:
        labels: The inventory that the teachers share.
        rows: For each example its unary marginals (T, K), expected transitions (K, K) and entropy ().
    """

    def __init__(self, labels: LabelSet, rows: dict[str, SoftTargets]) -> None:
        self.labels, self.rows = labels, rows

    def stack(self, example_ids: Sequence[str], device: torch.device) -> SoftTargets:
        """Return the soft targets of some examples, padded with zeros: (B, T, K), (B, K, K), (B,).

        Raises:
            ModelError: The teachers have no soft targets for an example.
        """
        missing = [name for name in example_ids if name not in self.rows]
        if missing:
            raise ModelError(f"the teachers have not seen {', '.join(missing[:3])}", _REMEDY)
        rows = [self.rows[name] for name in example_ids]
        unary = torch.nn.utils.rnn.pad_sequence([row.unary for row in rows], batch_first=True)
        transitions = torch.stack([row.transitions for row in rows])
        entropy = torch.stack([row.entropy for row in rows])
        return SoftTargets(unary.to(device), transitions.to(device), entropy.to(device))

    def save(self, folder: Path) -> None:
        """Write targets.safetensors (float32) and targets.json into a folder.

        Raises:
            StorageError: The disk is full.
        """
        folder.mkdir(parents=True, exist_ok=True)
        rows = self.rows.values()
        tensors = {"lengths": torch.tensor([len(row.unary) for row in rows], dtype=torch.int64)}
        if rows:
            tensors["unary"] = torch.cat([row.unary for row in rows])
            tensors["transitions"] = torch.stack([row.transitions for row in rows])
            tensors["entropy"] = torch.stack([row.entropy for row in rows])
        with report_full_disk(folder):
            save_file(tensors, folder / TENSORS)

        index = {"labels": self.labels.model_dump(mode="json"), "examples": list(self.rows)}
        (folder / NAMES).write_text(json.dumps(index, indent=0) + "\n", "utf-8")
        shutil.copymode(folder / NAMES, folder / TENSORS)  # safetensors lets no other user read the file

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the files that :meth:`save` wrote.

        Raises:
            ModelError: They are missing or damaged, or do not belong together.
        """
        try:
            index = json.loads((folder / NAMES).read_text("utf-8"))
            tensors = load_file(folder / TENSORS)
            names, labels = index["examples"], LabelSet.model_validate(index["labels"])
            rows = _split_rows(names, tensors) if names else {}
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder}: no targets of teachers: {str(error).splitlines()[0]}", _REMEDY) from None
        return cls(labels, rows)

    @property
    def digest(self) -> str:
        """A hash of the inventory and all soft targets."""
        digest = hashlib.sha256(self.labels.model_dump_json().encode())
        for name, row in self.rows.items():
            digest.update(name.encode())
            for value in row:
                digest.update(value.numpy().tobytes())
        return digest.hexdigest()


def _split_rows(names: Sequence[str], tensors: dict[str, torch.Tensor]) -> dict[str, SoftTargets]:
    """Return the soft targets by name.

    Raises:
        ValueError: There are more or fewer rows than names.
        KeyError: A tensor is missing.
        RuntimeError: The lengths do not add up.
    """
    unary = torch.split(tensors["unary"], tensors["lengths"].tolist())
    columns = (unary, tensors["transitions"], tensors["entropy"])
    return {name: SoftTargets(*row) for name, *row in zip(names, *columns, strict=True)}


def compute_soft_targets(
    folders: Sequence[Path],
    examples: Sequence[Example],
    temperature: float,
    *,
    withheld: Sequence[frozenset[str]] = (),
    device: str = "auto",
    bf16: Bf16 = "off",
    batch_size: int = 32,
) -> Targets:
    """Return the teachers' soft targets for examples, averaged over the teachers; gold labels are not read.

    The teachers may differ in their encoders: soft targets are over words, not over sub-words.

    Args:
        folders: The folders of the teachers, at least one; each reads the view that it was trained in.
        examples: With the caption and the knowledge that the teachers' view reads; ids unique.
        temperature: Every score is divided by it.
        withheld: For each teacher the ids of the examples that it is not asked about, since it was trained on
            them; an example's average is over the other teachers. Empty asks each teacher about everything.
        device: auto, cpu, cuda, cuda:1, mps.
        bf16: Mixed precision of the encoder, as in training; marginals are computed in float32.
        batch_size: Examples at a time.

    Raises:
        ModelError: A folder holds no model, two teachers have different labels, or there is no teacher (for an
            example).
        ConfigError: The device does not exist.
    """
    asked = _choose_examples(examples, withheld or [frozenset()] * len(folders))
    counts = Counter(example.id for example in chain.from_iterable(asked))
    sums: dict[str, SoftTargets] = {}
    labels: LabelSet | None = None
    for folder, own_examples in zip(folders, asked, strict=True):
        teacher = Student.from_pretrained(folder, device)
        labels = labels or teacher.labels
        if teacher.labels != labels:
            raise ModelError(f"{folders[0]} and {folder} know different labels", _REMEDY)
        for name, row in _ask_teacher(teacher, own_examples, temperature, bf16, batch_size):
            share = SoftTargets(*(value / counts[name] for value in row))
            sums[name] = SoftTargets(*map(torch.add, sums[name], share)) if name in sums else share
    if labels is None:
        raise ModelError("there is no teacher to ask", _REMEDY)
    return Targets(labels, {example.id: sums[example.id] for example in examples})


def _choose_examples(examples: Sequence[Example], withheld: Sequence[frozenset[str]]) -> list[list[Example]]:
    """Return the examples that each teacher is asked about.

    Raises:
        ModelError: An example is withheld from all teachers.
    """
    unasked = frozenset.intersection(*withheld) if withheld else frozenset()
    names = [example.id for example in examples if example.id in unasked]
    if names:
        raise ModelError(f"every teacher was trained on {', '.join(names[:3])}", _REMEDY)
    return [_leave_out(examples, ids) for ids in withheld]


def _leave_out(examples: Sequence[Example], ids: frozenset[str]) -> list[Example]:
    return [example for example in examples if example.id not in ids]


def _ask_teacher(
    teacher: Student, examples: Sequence[Example], temperature: float, bf16: Bf16, batch_size: int
) -> Iterator[tuple[str, SoftTargets]]:
    """Yield one teacher's soft targets, on the CPU, with the example's id, the longest examples first."""
    view, head, encoder = teacher.views[0], teacher.model.head, teacher.example_encoder
    encoded = encoder.encode([remove_labels(example) for example in examples])

    with Progress("asking a teacher", len(examples)) as bar:
        for indices in order_for_reading(measure_sizes(encoded, encoder), batch_size):
            batch = collate([encoded[index] for index in indices], view, encoder).to(teacher.device)
            with torch.inference_mode(), make_autocast(teacher.device, bf16):
                targets = head.compute_soft_targets(teacher.model(batch, view), batch.mask, temperature)
            for row, length in enumerate(head.count_target_positions(batch.mask)):
                values = (targets.unary[row, :length], targets.transitions[row], targets.entropy[row])
                unary, transitions, entropy = (value.cpu().clone() for value in values)
                yield batch.example_ids[row], SoftTargets(unary, transitions, entropy)
            bar.advance(len(indices))
