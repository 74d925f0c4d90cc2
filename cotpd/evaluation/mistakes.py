"""What kind of mistakes a model makes: pairs of gold and predicted label, and NER mistakes by cause.

A predicted span is held against at most the gold spans it touches; no optimal matching is sought, because with
entities of two or three words a span almost never touches two others.
"""

from collections import Counter
from collections.abc import Sequence

from cotpd.data.records import Prediction
from cotpd.evaluation.scores import Span, Task, label, spans

NOTHING = "(nothing)"  # the other side of a missed or a spurious entity
CAUSES = ("correct", "wrong type", "wrong extent", "missed", "spurious")


def pairs(predictions: Sequence[Prediction], task: Task) -> list[tuple[str, str]]:
    """Gold and predicted label, one pair per relation, or per span that either side has."""
    if task == "re":
        return [(label(row.gold), label(row.predicted)) for row in predictions]
    found = []
    for row in predictions:
        gold = {(start, end): kind for start, end, kind in spans(row.gold)}
        predicted = {(start, end): kind for start, end, kind in spans(row.predicted)}
        for extent in sorted(gold | predicted):
            found.append((gold.get(extent, NOTHING), predicted.get(extent, NOTHING)))
    return found


def causes(predictions: Sequence[Prediction]) -> dict[str, Counter[str]]:
    """How often each cause of :data:`CAUSES` was met, by entity type.

    A gold entity is correct, of the wrong type, of the wrong extent (some predicted span touches it) or missed,
    and counts for its own type; a predicted entity that touches no gold one is spurious and counts for the type
    that it claims.
    """
    found: dict[str, Counter[str]] = {}
    for row in predictions:
        gold, predicted = spans(row.gold), spans(row.predicted)
        for span in gold:
            found.setdefault(span[2], Counter())[_cause(span, predicted)] += 1
        for span in predicted:
            if not any(_touch(span, other) for other in gold):
                found.setdefault(span[2], Counter())["spurious"] += 1
    return dict(sorted(found.items()))


def _cause(gold: Span, predicted: Sequence[Span]) -> str:
    if gold in predicted:
        return "correct"
    if any(gold[:2] == other[:2] for other in predicted):
        return "wrong type"
    return "wrong extent" if any(_touch(gold, other) for other in predicted) else "missed"


def _touch(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
