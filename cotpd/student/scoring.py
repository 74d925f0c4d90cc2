"""The score that picks the best epoch: exact micro F1 of mentions (NER) or of relations other than None (RE)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cotpd.data.records import NO_RELATION
from cotpd.student.examples import Example
from cotpd.student.tasks import GoldMention, GoldRelation

if TYPE_CHECKING:
    from cotpd.student.student import Student
    from cotpd.student.views import View


def score(student: "Student", examples: Sequence[Example], view: "View") -> dict[str, float]:
    """Return precision, recall and F1, in percent, of a model on examples in one view.

    Raises:
        ModelError: The model was not trained in that view.
    """
    predicted = student.predict_examples(examples, view, progress=True)
    counted = [
        {prediction.target for prediction in predictions if prediction.label != NO_RELATION}
        for predictions in predicted
    ]
    return compute_micro_f1([read_gold(example) for example in examples], counted)


def read_gold(example: Example) -> set[tuple[Any, ...]]:
    """Return the gold labels of an example that F1 counts: its mentions, or its relation unless that is None."""
    if example.label is not None:
        return set() if example.label == NO_RELATION else {GoldRelation(example.label)}
    return {GoldMention(entity.start, entity.end, str(entity.type)) for entity in example.entities}


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
