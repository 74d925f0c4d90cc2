"""The score that picks the best epoch: exact micro F1 of mentions (NER) or of relations other than None (RE)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cotpd.data.records import NO_RELATION
from cotpd.student.examples import Example

if TYPE_CHECKING:
    from cotpd.student.heads import Found
    from cotpd.student.student import Student
    from cotpd.student.views import View


def score(student: "Student", examples: Sequence[Example], view: "View") -> dict[str, float]:
    """Precision, recall and F1 in percent of a model on examples in one view."""
    predicted = student.predict_examples(examples, view, progress=True)
    return micro_f1(
        [gold(example) for example in examples],
        [{_key(one) for one in found if one.label != NO_RELATION} for found in predicted],
    )


def gold(example: Example) -> set[tuple[int, int, str]]:
    """What there is to find in an example; an entity or relation counts only if it is not None."""
    if example.label is not None:
        return {(0, 0, example.label)} - {(0, 0, NO_RELATION)}
    return {(one.start, one.end, str(one.type)) for one in example.entities}


def micro_f1(gold: Sequence[set[tuple]], predicted: Sequence[set[tuple]]) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 in percent; zero where there is nothing to count."""
    right = sum(len(a & b) for a, b in zip(gold, predicted, strict=True))
    wanted, given = sum(map(len, gold)), sum(map(len, predicted))
    return {
        "precision": round(100 * right / given, 4) if given else 0.0,
        "recall": round(100 * right / wanted, 4) if wanted else 0.0,
        "f1": round(200 * right / (wanted + given), 4) if wanted + given else 0.0,
    }


def _key(found: "Found") -> tuple[int, int, str]:
    return (found.start, found.end, found.label)
