"""The score that picks the best epoch: exact micro F1 of mentions or labels, as far as the task counts them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cotpd.student.examples import Example

if TYPE_CHECKING:
    from cotpd.student.student import Student
    from cotpd.student.views import View


def score(student: "Student", examples: Sequence[Example], view: "View") -> dict[str, float]:
    """Return precision, recall and F1, in percent, of a model on examples in one view.

    Raises:
        ModelError: The model was not trained in that view.
    """
    task = student.labels.definition
    predicted = student.predict_examples(examples, view, progress=True)
    return compute_micro_f1(
        [task.select_counted_gold(example) for example in examples],
        [task.select_counted(predictions) for predictions in predicted],
    )


def compute_micro_f1(gold: Sequence[set[tuple[Any, ...]]], predicted: Sequence[set[Any]]) -> dict[str, float]:
    """Return micro-averaged precision, recall and F1 in percent; 0 where a ratio has nothing to divide by.

    Args:
        gold: The labels of each example.
        predicted: The predictions for each example, in the same order.
    """
    right = sum(len(labels & predictions) for labels, predictions in zip(gold, predicted, strict=True))
    gold_count, predicted_count = sum(map(len, gold)), sum(map(len, predicted))
    total = gold_count + predicted_count
    return {
        "precision": round(100 * right / predicted_count, 4) if predicted_count else 0.0,
        "recall": round(100 * right / gold_count, 4) if gold_count else 0.0,
        "f1": round(200 * right / total, 4) if total else 0.0,
    }
