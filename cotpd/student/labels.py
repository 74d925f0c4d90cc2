"""The label inventory: which BIO tags (NER) or relations (RE) a model knows, saved with it.

Trade-off: the inventory is fixed when training starts, so a label that turns up later is an error that names its
post, never a silent O.
"""

from collections.abc import Iterable, Sequence
from typing import Self

from cotpd.data.records import NO_RELATION, Record
from cotpd.errors import DataError
from cotpd.student.examples import Example, Task

OUTSIDE = "O"


class LabelSet(Record):
    """An ordered inventory. ``names`` are BIO tags, O first (NER), or relations, None first (RE)."""

    task: Task
    names: tuple[str, ...]

    @classmethod
    def of(cls, task: Task, types: Iterable[str]) -> Self:
        """The inventory for entity types or relation labels, in an order that does not depend on theirs.

        Raises:
            DataError: There are none.
        """
        types = sorted(set(types))
        if not types:
            what = "entity types" if task == "ner" else "relation labels"
            raise DataError(f"there are no {what} to learn", "Look at data.types and at the training split.")
        if task == "ner":
            return cls(task=task, names=(OUTSIDE, *(f"{p}-{t}" for t in types for p in "BI")))
        return cls(task=task, names=tuple(sorted(types, key=lambda label: (label != NO_RELATION, label))))

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types (NER) or relation labels (RE)."""
        if self.task == "re":
            return self.names
        return tuple(name[2:] for name in self.names if name.startswith("B-"))

    def targets(self, example: Example) -> list[int]:
        """Tag of each token (NER), or the one relation (RE; empty when the example has no label).

        Raises:
            DataError: The example holds a label outside the inventory.
        """
        if self.task == "re":
            return [] if example.label is None else [self._index(example.label, example)]
        tags = [0] * len(example.tokens)
        for entity in example.entities:
            begin = self._index(f"B-{entity.type}", example)
            tags[entity.start : entity.end] = [begin] + [begin + 1] * (entity.end - entity.start - 1)
        return tags

    def _index(self, name: str, example: Example) -> int:
        if name in self.names:
            return self.names.index(name)
        label = name if self.task == "re" else name[2:]
        where = f"{example.file}:{example.line}: " if example.file else ""
        raise DataError(
            f"{where}post {example.id}: label {label!r} is none of {', '.join(self.types)}",
            "Correct it, or add it to data.types and train again.",
        )

    def spans(self, tags: Sequence[int]) -> list[tuple[int, int, str]]:
        """Mentions (start, end, type) of a tag sequence; an I- that follows no mention of its type begins one."""
        found: list[tuple[int, int, str]] = []
        for at, tag in enumerate(tags):
            prefix, _, kind = self.names[tag].partition("-")
            if prefix == OUTSIDE:
                continue
            if prefix == "I" and found and found[-1][1] == at and found[-1][2] == kind:
                found[-1] = (found[-1][0], at + 1, kind)
            else:
                found.append((at, at + 1, kind))
        return found

    def continuations(self) -> list[int]:
        """The tag that goes on with a mention, for each tag in it: I- of its type; for O, itself (NER)."""
        return [at + name.startswith("B-") for at, name in enumerate(self.names)]

    def successors(self) -> list[list[bool]]:
        """What BIO allows: row i says which tags may follow tag i, the last row which may begin (NER)."""
        rows = []
        for before in (*self.names, OUTSIDE):
            rows.append([not tag.startswith("I-") or before[2:] == tag[2:] for tag in self.names])
        return rows
