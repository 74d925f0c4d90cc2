"""What frozen teachers believe of the examples that a student learns from: computed once, kept in a file.

Trade-off: of a distribution over tag sequences only the marginals are kept that a cross-entropy needs (tags and
expected transitions), some hundred bytes a word. The student is taught the exact sequence distribution, each of
its epochs costs text alone, and the averages of several teachers take no more room than one.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import torch

from cotpd.devices import Bf16, autocast
from cotpd.errors import ModelError
from cotpd.progress import Progress
from cotpd.storage import writing
from cotpd.student.batches import collate, reading_order, sizes
from cotpd.student.crf import Belief
from cotpd.student.examples import Example, without_labels
from cotpd.student.labels import LabelSet
from cotpd.student.student import Student

TENSORS, NAMES = "targets.safetensors", "targets.json"
_REMEDY = "Run the teach step again."


class Targets:
    """Beliefs by example id.

    Args:
        labels: The inventory that the teachers share.
        rows: For each example its unary marginals (T, K), expected transitions (K, K) and entropy ().
    """

    def __init__(self, labels: LabelSet, rows: dict[str, Belief]) -> None:
        self.labels, self.rows = labels, rows

    def batch(self, names: Sequence[str], device: torch.device) -> Belief:
        """The beliefs of some examples, padded with zeros: (B, T, K), (B, K, K), (B,).

        Raises:
            ModelError: The teachers have not seen an example.
        """
        if missing := [name for name in names if name not in self.rows]:
            raise ModelError(f"the teachers have not seen {', '.join(missing[:3])}", _REMEDY)
        rows = [self.rows[name] for name in names]
        unary = torch.nn.utils.rnn.pad_sequence([row.unary for row in rows], batch_first=True)
        stacked = (torch.stack([getattr(row, name) for row in rows]) for name in ("transitions", "entropy"))
        return Belief(*(value.to(device) for value in (unary, *stacked)))

    def save(self, folder: Path) -> None:
        """Write targets.safetensors and targets.json into a folder, float32."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        rows = self.rows.values()
        tensors = {"lengths": torch.tensor([len(row.unary) for row in rows], dtype=torch.int64)}
        if rows:
            tensors["unary"] = torch.cat([row.unary for row in rows])
            tensors["transitions"] = torch.stack([row.transitions for row in rows])
            tensors["entropy"] = torch.stack([row.entropy for row in rows])
        with writing(folder):
            save_file(tensors, folder / TENSORS)
        said = {"labels": self.labels.model_dump(mode="json"), "examples": list(self.rows)}
        (folder / NAMES).write_text(json.dumps(said, indent=0) + "\n", "utf-8")
        shutil.copymode(folder / NAMES, folder / TENSORS)  # safetensors writes for its owner's eyes alone

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            ModelError: It is not there, damaged, or of two different runs.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            said = json.loads((folder / NAMES).read_text("utf-8"))
            tensors = load_file(folder / TENSORS)
            names, labels = said["examples"], LabelSet.model_validate(said["labels"])
            unary = tensors["unary"].split(tensors["lengths"].tolist()) if names else ()
            rest = (tensors["transitions"], tensors["entropy"]) if names else ((), ())
            rows = {name: Belief(*row) for name, *row in zip(names, unary, *rest, strict=True)}
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder}: no targets of teachers: {str(error).splitlines()[0]}", _REMEDY) from None
        return cls(labels, rows)

    @property
    def digest(self) -> str:
        """A hash of all that is believed."""
        found = hashlib.sha256(self.labels.model_dump_json().encode())
        for name, row in self.rows.items():
            found.update(name.encode())
            for value in row:
                found.update(value.numpy().tobytes())
        return found.hexdigest()


def believe(
    folders: Sequence[Path],
    examples: Sequence[Example],
    temperature: float,
    *,
    device: str = "auto",
    bf16: Bf16 = "off",
    batch_size: int = 32,
) -> Targets:
    """What teachers believe of examples, averaged; gold labels in the examples are not looked at.

    The teachers may differ in their encoders: beliefs are over words, not over sub-words.

    Args:
        folders: Of the teachers; each reads the view that it was trained in.
        examples: With whatever the teachers' view needs; ids unique.
        temperature: Every score is divided by it.
        device: auto, cpu, cuda, cuda:1, mps.
        bf16: Mixed precision of the encoder, as in training; marginals are computed in float32.
        batch_size: Examples at a time.

    Raises:
        ModelError: A folder holds no model, or two teachers know different labels.
        ConfigError: The device is not there.
    """
    rows: dict[str, Belief] = {}
    inventories: dict[LabelSet, Path] = {}
    for folder in folders:
        teacher = Student.from_pretrained(folder, device)
        inventories.setdefault(teacher.labels, folder)
        if len(inventories) > 1:
            raise ModelError(f"{' and '.join(map(str, inventories.values()))} know different labels", _REMEDY)
        for name, row in _beliefs(teacher, examples, temperature, bf16, batch_size):
            share = Belief(*(value / len(folders) for value in row))
            rows[name] = Belief(*map(torch.add, rows[name], share)) if name in rows else share
    (labels,) = inventories
    return Targets(labels, {example.id: rows[example.id] for example in examples})


def _beliefs(
    teacher: Student, examples: Sequence[Example], temperature: float, bf16: Bf16, batch_size: int
) -> Iterator[tuple[str, Belief]]:
    """What one teacher believes, by example, longest first, on the CPU."""
    view, head = teacher.views[0], teacher.model.head
    encoded = teacher.tokens.encode([without_labels(example) for example in examples])
    with Progress("asking a teacher", len(examples)) as bar:
        for chosen in reading_order(sizes(encoded, teacher.tokens), batch_size):
            batch = collate([encoded[i] for i in chosen], view, teacher.tokens).to(teacher.device)
            with torch.inference_mode(), autocast(teacher.device, bf16):
                belief = head.belief(teacher.model(batch, view), batch.mask, temperature)
            lengths = batch.mask.sum(1).tolist() if teacher.labels.task == "ner" else [1] * len(chosen)
            for at, length in enumerate(lengths):
                row = (belief.unary[at, :length], belief.transitions[at], belief.entropy[at])
                yield batch.names[at], Belief(*(value.cpu().clone() for value in row))
            bar.advance(len(chosen))
