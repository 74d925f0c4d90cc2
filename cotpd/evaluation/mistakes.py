"""Kinds of mistakes a model makes: pairs of gold and predicted label, and NER mistakes by cause.

A predicted span is compared with the gold spans that it touches; no optimal matching is sought, because with
entities of two or three words a span almost never touches two others.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain

from cotpd.student.tasks import GoldMention, NerPrediction, Prediction

CAUSES = ("correct", "wrong type", "wrong extent", "missed", "spurious")


def pair_labels(predictions: Sequence[Prediction]) -> list[tuple[str, str]]:
    """Return gold and predicted label, one pair for each relation, or for each span that either side has."""
    return list(chain.from_iterable(prediction.pair_labels() for prediction in predictions))


def count_causes(predictions: Sequence[Prediction]) -> dict[str, Counter[str]]:
    """Return how often each cause of :data:`CAUSES` occurs, by entity type.

    A gold entity is correct, of the wrong type, of the wrong extent (some predicted span touches it) or missed,
    and counts for its own type; a predicted entity that touches no gold one is spurious and counts for the type
    that was predicted.
    """
    counts: dict[str, Counter[str]] = {}
    for row in predictions:
        if not isinstance(row, NerPrediction):
            continue
        predicted = [mention.target for mention in row.predicted]
        for mention in row.gold:
            counts.setdefault(mention.label, Counter())[_find_cause(mention, predicted)] += 1
        for mention in predicted:
            if not any(_overlap(mention, gold) for gold in row.gold):
                counts.setdefault(mention.label, Counter())["spurious"] += 1
    return dict(sorted(counts.items()))


def _find_cause(gold: GoldMention, predicted: Sequence[GoldMention]) -> str:
    """Return correct, wrong type, wrong extent or missed, for a gold mention among the predicted ones."""
    if gold in predicted:
        return "correct"
    if any(gold[:2] == mention[:2] for mention in predicted):
        return "wrong type"
    return "wrong extent" if any(_overlap(gold, mention) for mention in predicted) else "missed"


def _overlap(left: GoldMention, right: GoldMention) -> bool:
    """Whether two mentions share a token."""
    return left.start < right.end and right.start < left.end
