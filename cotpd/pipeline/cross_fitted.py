"""Cross-fitted teachers as one model of the training posts: each post is read by a teacher that never saw it.

Trade-off: a fold's teacher is loaded when it is asked and dropped afterwards, so that memory holds one at a time,
and only the first of several teachers of a fold is asked: a suspicion needs no average.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from cotpd.pipeline.folds import Folds, load_folds
from cotpd.student import Student
from cotpd.student.examples import Example
from cotpd.student.labels import LabelSet
from cotpd.student.tasks import Predicted
from cotpd.student.views import View

T = TypeVar("T")


class CrossFitted:
    """The teachers of all folds.

    Attributes:
        labels: Their inventory.

    Args:
        teachers: The folder of the teachers.
        folds: Which examples each of them left out.
        device: As for every model.
    """

    def __init__(self, teachers: Path, folds: Folds, device: str = "auto") -> None:
        self._teachers, self._folds, self._device = teachers, folds, device
        self.labels: LabelSet = self._load(0).labels

    @classmethod
    def find(cls, teachers: Path, targets: Path, device: str = "auto") -> "CrossFitted | None":
        """Return the cross-fitted teachers of a folder; None if they are not cross-fitted.

        Args:
            teachers: The folder of the teachers.
            targets: The folder of their soft targets, where the folds are written.
            device: As for every model.

        Raises:
            DataError: The folds are damaged.
        """
        folds = load_folds(targets)
        return None if folds is None else cls(teachers, folds, device)

    def select_examples(self, examples: Sequence[Example]) -> list[Example]:
        """Return the examples that one of the folds holds."""
        return [example for example in examples if example.id in self._folds.examples]

    def predict_examples(
        self, examples: Sequence[Example], view: View | None = None, batch_size: int = 32
    ) -> list[list[Predicted]]:
        """Label examples, in their order."""
        return self._ask_each(
            examples, lambda teacher, part: teacher.predict_examples(part, view, batch_size=batch_size)
        )

    def compute_log_probabilities(
        self, examples: Sequence[Example], view: View | None = None, batch_size: int = 32
    ) -> list[float]:
        """Return the calibrated log-probability of each example's own labels, in nats, in the examples' order."""
        return self._ask_each(
            examples, lambda teacher, part: teacher.compute_log_probabilities(part, view, batch_size)
        )

    def _ask_each(
        self, examples: Sequence[Example], ask: Callable[[Student, Sequence[Example]], Sequence[T]]
    ) -> list[T]:
        """Ask each fold's teacher about the fold's examples, and return the answers in the examples' order."""
        answers: dict[int, T] = {}
        for fold in range(self._folds.count):
            numbers = [n for n, example in enumerate(examples) if self._folds.examples[example.id] == fold]
            if numbers:
                part = [examples[number] for number in numbers]
                answers |= zip(numbers, ask(self._load(fold), part), strict=True)
        return [answers[number] for number in range(len(examples))]

    def _load(self, fold: int) -> Student:
        return Student.from_pretrained(self._teachers / str(fold), self._device)
