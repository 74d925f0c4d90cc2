"""Precision, recall and F1 of entities (as seqeval reads them) and of relations (without ``None``).

Entity figures go through seqeval's default mode, on BIO tags made from the spans, although sets of spans would
give the same numbers faster: what the literature reports for Twitter-2015/2017 was computed that way. Relation
figures follow MNRE's scorer (Zheng et al. 2021): precision over the predictions, recall over the golds, that are
not ``None``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from cotpd.data.records import NO_RELATION, Prediction
from cotpd.errors import DataError

Task = Literal["ner", "re"]
Span = tuple[int, int, str]
DIGITS = 6  # of what is written to scores.json; more would only make diffs noisy


@dataclass(frozen=True)
class TypeScore:
    """Scores of one entity type or relation label; ``support`` counts its gold instances."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Scores:
    """Micro-averaged scores in [0, 1], the macro F1, and the scores of each type.

    ``support`` counts gold entities (or gold relations that are not ``None``). ``accuracy`` is the share of posts
    whose entities are all right and nothing but right (NER), or of pairs with the right label, ``None`` included
    (RE).
    """

    precision: float
    recall: float
    f1: float
    macro_f1: float
    accuracy: float
    support: int
    per_type: dict[str, TypeScore] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain rounded numbers, as scores.json holds them."""
        return _rounded(asdict(self))


def spans(items: Iterable[Sequence[Any]]) -> list[Span]:
    """Spans of one side of a prediction, without their probabilities."""
    return [(int(item[0]), int(item[1]), str(item[2])) for item in items]


def label(side: Sequence[Any]) -> str:
    """The label of one side of a relation prediction."""
    return str(side[0])


def score(predictions: Sequence[Prediction], task: Task) -> Scores:
    """Score the predictions of one model on one split.

    Raises:
        DataError: Two spans of one side of a prediction share a token, which BIO tags cannot say.
    """
    return score_entities(predictions) if task == "ner" else score_relations(predictions)


def score_entities(predictions: Sequence[Prediction]) -> Scores:
    """Entity-level scores: a span counts only with both its ends and its type right.

    Raises:
        DataError: Two spans of one side of a prediction share a token.
    """
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as prf

    sides = [(spans(row.gold), spans(row.predicted)) for row in predictions]
    lengths = [max((end for _, end, _ in gold + found), default=0) for gold, found in sides]
    gold = [_bio(g, n, row.id) for (g, _), n, row in zip(sides, lengths, predictions, strict=True)]
    found = [_bio(p, n, row.id) for (_, p), n, row in zip(sides, lengths, predictions, strict=True)]
    types = sorted({kind for pair in sides for side in pair for _, _, kind in side})
    right = float(np.mean([set(g) == set(p) for g, p in sides])) if sides else 0.0
    if not types:
        return Scores(0.0, 0.0, 0.0, 0.0, right, 0)
    precision, recall, f1, _ = prf(gold, found, average="micro", zero_division=0)
    columns = prf(gold, found, average=None, zero_division=0)
    per_type = {
        kind: TypeScore(float(p), float(r), float(f), int(n))
        for kind, p, r, f, n in zip(types, *columns, strict=True)
    }
    return _scores(float(precision), float(recall), float(f1), right, per_type)


def score_relations(predictions: Sequence[Prediction]) -> Scores:
    """Relation scores over every label but ``None``; a ``None`` that should be a relation costs recall only."""
    pairs = [(label(row.gold), label(row.predicted)) for row in predictions]
    labels = sorted({one for pair in pairs for one in pair} - {NO_RELATION})
    per_type = {}
    for one in labels:
        hits = sum(g == p == one for g, p in pairs)
        per_type[one] = _type_score(hits, sum(p == one for _, p in pairs), sum(g == one for g, _ in pairs))
    hits = sum(g == p != NO_RELATION for g, p in pairs)
    micro = _type_score(hits, sum(p != NO_RELATION for _, p in pairs), sum(g != NO_RELATION for g, _ in pairs))
    right = float(np.mean([g == p for g, p in pairs])) if pairs else 0.0
    return _scores(micro.precision, micro.recall, micro.f1, right, per_type)


def counts(predictions: Sequence[Prediction], task: Task) -> np.ndarray:
    """True positives, false positives and false negatives of each example.

    Returns:
        Integers, shape (examples, 3).
    """
    rows = []
    for row in predictions:
        gold, found = (_set(side, task) for side in (row.gold, row.predicted))
        rows.append((len(gold & found), len(found - gold), len(gold - found)))
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _set(side: Sequence[Any], task: Task) -> set[Any]:
    return set(spans(side)) if task == "ner" else {label(side)} - {NO_RELATION}


def _bio(side: list[Span], length: int, post: str) -> list[str]:
    tags = ["O"] * length
    for start, end, kind in side:
        if any(tag != "O" for tag in tags[start:end]):
            raise DataError(
                f"post {post}: the entity at tokens {start} to {end} overlaps another one",
                "Entities of one post must not overlap: keep one of the two.",
            )
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags


def _type_score(hits: int, predicted: int, gold: int) -> TypeScore:
    precision = hits / predicted if predicted else 0.0
    recall = hits / gold if gold else 0.0
    f1 = 2 * hits / (predicted + gold) if predicted + gold else 0.0
    return TypeScore(precision, recall, f1, gold)


def _scores(precision: float, recall: float, f1: float, accuracy: float, per_type: dict[str, TypeScore]) -> Scores:
    macro = float(np.mean([one.f1 for one in per_type.values()])) if per_type else 0.0
    support = sum(one.support for one in per_type.values())
    return Scores(precision, recall, f1, macro, accuracy, support, per_type)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value
