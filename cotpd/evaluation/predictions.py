"""From what a model found in an example to a row of the predictions table."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cotpd.data.records import Prediction

if TYPE_CHECKING:
    from cotpd.student.examples import Example
    from cotpd.student.heads import Found

DIGITS = 4  # of a probability: further ones differ between processors, and the table would never be the same again


def predictions(
    examples: Sequence["Example"], found: Sequence[Sequence["Found"]], *, split: str, model: str
) -> Iterator[Prediction]:
    """Rows of one model on one split, in the order of the examples.

    Args:
        examples: With their gold annotation.
        found: Of ``Student.predict_examples`` on the same examples.
        split: valid or test.
        model: baseline, student or knowledge.

    Yields:
        NER: ``[start, end, type]`` in tokens, predicted ones with their probability; RE: ``[label]`` and
        ``[label, probability]``.
    """
    for example, some in zip(examples, found, strict=True):
        yield Prediction(
            id=example.id, split=split, model=model, gold=_gold(example), predicted=_found(example, some)
        )


def _gold(example: "Example") -> list[Any]:
    if example.label is not None:
        return [example.label]
    return [[one.start, one.end, one.type] for one in example.entities]


def _found(example: "Example", found: Sequence["Found"]) -> list[Any]:
    if example.label is not None:
        [one] = found
        return [one.label, round(one.score, DIGITS)]
    return [[one.start, one.end, one.label, round(one.score, DIGITS)] for one in found]
