"""The label inventory: which BIO tags (NER) or labels a model can predict, saved with it.

Trade-off: the inventory is fixed when training starts, so a label that turns up later is an error that names its
post, never a silent O.
"""

from collections.abc import Iterable, Sequence
from typing import Self

from cotpd.data.bio import OUTSIDE, TypedSpan, decode_tags
from cotpd.data.records import Record, TaskName
from cotpd.errors import DataError
from cotpd.student.examples import Example
from cotpd.student.tasks import KnownTask, Task, find_task


class LabelSet(Record):
    """An ordered inventory. ``names`` are BIO tags, O first (NER), or labels, None first (RE)."""

    task: KnownTask
    names: tuple[str, ...]

    @classmethod
    def build(cls, task: TaskName, types: Iterable[str]) -> Self:
        """Return the inventory of entity types or labels; their order does not matter.

        Raises:
            DataError: There are no types.
        """
        types = sorted(set(types))
        if not types:
            noun = find_task(task).label_noun
            raise DataError(f"there are no {noun} to learn", "Look at data.types and at the training split.")
        return cls(task=task, names=find_task(task).list_label_names(types))

    @property
    def definition(self) -> Task:
        """The task that the labels are of."""
        return find_task(self.task)

    @property
    def types(self) -> tuple[str, ...]:
        """Entity types (NER) or labels."""
        return self.definition.list_types(self.names)

    def encode_gold(self, example: Example) -> list[int]:
        """Return the tag of each token (NER), or the example's one label; empty if it has none.

        Raises:
            DataError: The example holds a label outside the inventory.
        """
        return self.definition.encode_gold(example, self)

    def find_index(self, name: str, label: str, example: Example) -> int:
        """Return the index of a name.

        Args:
            name: A BIO tag or a label.
            label: The entity type or label, for the message.
            example: That holds it, for the message.

        Raises:
            DataError: The name is not in the inventory.
        """
        if name in self.names:
            return self.names.index(name)
        where = f"{example.file}:{example.line}: " if example.file else ""
        raise DataError(
            f"{where}post {example.id}: label {label!r} is none of {', '.join(self.types)}",
            "Correct it, or add it to data.types and train again.",
        )

    def decode_spans(self, tags: Sequence[int]) -> list[TypedSpan]:
        """Return the mentions of a sequence of tag indices; an I- that continues nothing begins a mention."""
        return decode_tags(self.names[tag] for tag in tags)[0]

    def list_continuations(self) -> list[int]:
        """Return, for each tag, the tag that continues its mention: I- of its type; for O, O itself (NER)."""
        return [index + name.startswith("B-") for index, name in enumerate(self.names)]

    def list_successors(self) -> list[list[bool]]:
        """Return what BIO allows: row i says which tags may follow tag i, the last row which may begin (NER)."""
        rows = []
        for before in (*self.names, OUTSIDE):
            row = [not tag.startswith("I-") or before[2:] == tag[2:] for tag in self.names]
            rows.append(row)
        return rows
