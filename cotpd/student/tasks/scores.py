"""Precision, recall and F1 as scores.json holds them, for any task."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

DIGITS = 6  # of what is written to scores.json; more would only make diffs noisy


@dataclass(frozen=True)
class TypeScore:
    """Scores of one entity type or relation label; ``support`` counts its gold instances."""

    precision: float
    recall: float
    f1: float
    support: int

    @classmethod
    def from_counts(cls, hits: int, predicted: int, gold: int) -> "TypeScore":
        """Return the scores of counts; 0 where a ratio has nothing to divide by."""
        precision = hits / predicted if predicted else 0.0
        recall = hits / gold if gold else 0.0
        f1 = 2 * hits / (predicted + gold) if predicted + gold else 0.0
        return cls(precision, recall, f1, gold)


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

    @classmethod
    def from_types(
        cls, precision: float, recall: float, f1: float, accuracy: float, per_type: Mapping[str, TypeScore]
    ) -> "Scores":
        """Return micro-averaged scores with the macro F1 and the support of the types."""
        macro_f1 = float(np.mean([scores.f1 for scores in per_type.values()])) if per_type else 0.0
        support = sum(scores.support for scores in per_type.values())
        return cls(precision, recall, f1, macro_f1, accuracy, support, dict(per_type))

    def as_dict(self) -> dict[str, Any]:
        """Return plain rounded numbers, as scores.json holds them."""
        rounded: dict[str, Any] = _round_floats(asdict(self))
        return rounded


def _round_floats(value: Any) -> Any:
    """Return a number, or nested dictionaries, with every float rounded."""
    if isinstance(value, dict):
        return {key: _round_floats(member) for key, member in value.items()}
    return round(value, DIGITS) if isinstance(value, float) else value
