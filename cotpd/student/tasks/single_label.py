"""One label an example: shared by relations, which label a pair, and by classes, which label a post."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from cotpd.data.records import Entity, Span
from cotpd.errors import DataError
from cotpd.student.tasks.base import DIGITS, NO_SCORE, PredictionRecord, Task
from cotpd.student.tasks.scores import Scores, TypeScore

if TYPE_CHECKING:
    from cotpd.student.decoders import Decoder
    from cotpd.student.examples import Example
    from cotpd.student.labels import LabelSet
    from cotpd.student.tasks import Predicted, Prediction


NO_ANSWER = "(no answer)"  # in the place of a label that a language model did not give


class GoldLabel(NamedTuple):
    """The annotated label of a pair or a post."""

    label: str

    def describe(self, example: "Example") -> str:
        """Return the label."""
        return self.label


class PredictedLabel(NamedTuple):
    """The predicted label of a pair or a post, and its probability."""

    label: str
    score: float = NO_SCORE

    @property
    def target(self) -> GoldLabel:
        """The label without its score."""
        return GoldLabel(self.label)

    @property
    def span(self) -> None:
        """None: the label has no tokens of its own."""
        return None


class LabelPrediction(PredictionRecord):
    """One row of the predictions table: the gold and the predicted label of an example."""

    uncounted: ClassVar[str | None]
    gold: GoldLabel
    predicted: PredictedLabel

    @property
    def is_right(self) -> bool:
        """Whether the label is the gold one."""
        return self.gold.label == self.predicted.label

    def list_counted_gold(self) -> set[tuple[Any, ...]]:
        """Return the gold label, if the score counts it."""
        return set() if self.gold.label == self.uncounted else {self.gold}

    def list_counted_predictions(self) -> set[tuple[Any, ...]]:
        """Return the predicted label without its score, if the score counts it."""
        return set() if self.predicted.label == self.uncounted else {self.predicted.target}

    def list_judged_scores(self) -> list[tuple[float, bool]]:
        """Return score and rightness of the label, if it has a score."""
        return [(self.predicted.score, self.is_right)] if self.predicted.score != NO_SCORE else []

    def pair_labels(self) -> list[tuple[str, str]]:
        """Return gold and predicted label."""
        return [(self.gold.label, self.predicted.label)]

    def match_gold(self) -> list[tuple[PredictedLabel, tuple[GoldLabel, ...]]]:
        """Return the predicted label with the gold one."""
        return [(self.predicted, (self.gold,))]


class SingleLabelTask(Task):
    """A task whose examples have one label each, predicted by a softmax."""

    has_extents = False
    output_columns = {"label": "string", "score": "double"}  # noqa: RUF012
    output_list = None
    no_prediction = {"label": None, "score": None}  # noqa: RUF012

    @abstractmethod
    def build_row(self, **values: Any) -> "Prediction":
        """Return a row of the predictions table from its values."""

    def list_label_names(self, types: Sequence[str]) -> tuple[str, ...]:
        """Return the label that the score does not count first, if it is among the labels, then the others."""
        return tuple(sorted(types, key=lambda label: (label != self.uncounted, label)))

    def list_types(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the labels."""
        return tuple(names)

    def encode_gold(self, example: "Example", labels: "LabelSet") -> list[int]:
        """Return the label's index; nothing if the example has no label.

        Raises:
            DataError: The label is outside the inventory.
        """
        return [] if example.label is None else [labels.find_index(example.label, example.label, example)]

    def build_decoder(self, labels: "LabelSet", weights: Sequence[Any] | None) -> "Decoder":
        """Return a softmax over labels."""
        from cotpd.student.decoders import LabelDecoder  # noqa: PLC0415  it imports the tasks

        return LabelDecoder(labels)

    def list_gold(self, example: "Example") -> set[tuple[Any, ...]]:
        """Return the gold label; nothing if there is none."""
        return set() if example.label is None else {GoldLabel(example.label)}

    def list_targets(self, example: "Example") -> list[tuple[Span | None, str]]:
        """Return None, which stands for the whole example, with its label; nothing if it has none."""
        return [] if example.label is None else [(None, example.label)]

    def read_extracted(self, mentions: Sequence[Entity], label: str | None) -> list["Predicted"]:
        """Return the label; where a language model gave none, the uncounted one, or one that is never right."""
        return [PredictedLabel(label if label is not None else self.uncounted or NO_ANSWER)]

    def build_prediction(
        self, example: "Example", predicted: Sequence["Predicted"], split: str, model: str
    ) -> "Prediction":
        """Return gold and predicted label as a row.

        Raises:
            DataError: The example has no label, or it was not predicted as exactly one label.
        """
        labels = [label for label in predicted if isinstance(label, PredictedLabel)]
        if example.label is None or len(labels) != 1:
            noun = f"{self.target_noun}s"
            raise DataError(
                f"post {example.id}: no gold label or no single prediction", f"Predict labelled {noun}."
            )
        label = labels[0]._replace(score=round(labels[0].score, DIGITS))
        gold = GoldLabel(example.label)
        return self.build_row(id=example.id, split=split, model=model, gold=gold, predicted=label)

    def score(self, predictions: Iterable[PredictionRecord]) -> Scores:
        """Score every label but the uncounted one; that one in place of another costs recall only.

        Where each label counts, micro precision, recall and F1 are the accuracy.

        Raises:
            DataError: A prediction is of another task.
        """
        pairs = list(chain.from_iterable(self._require_row(row).pair_labels() for row in predictions))
        labels = sorted(set(chain.from_iterable(pairs)) - {self.uncounted, NO_ANSWER})
        per_type = {label: _score_label(pairs, label) for label in labels}

        hits = sum(gold == predicted != self.uncounted for gold, predicted in pairs)
        predicted_count = sum(predicted != self.uncounted for _, predicted in pairs)
        gold_count = sum(gold != self.uncounted for gold, _ in pairs)
        micro = TypeScore.from_counts(hits, predicted_count, gold_count)
        accuracy = float(np.mean([gold == predicted for gold, predicted in pairs])) if pairs else 0.0
        return Scores.from_types(micro.precision, micro.recall, micro.f1, accuracy, per_type)

    @abstractmethod
    def _require_row(self, row: PredictionRecord) -> LabelPrediction:
        """Return the row; fail if it is a prediction of another task."""


def _score_label(pairs: Sequence[tuple[str, str]], label: str) -> TypeScore:
    """Return the scores of one label, from pairs of gold and predicted label."""
    hits = sum(gold == predicted == label for gold, predicted in pairs)
    predicted_count = sum(predicted == label for _, predicted in pairs)
    gold_count = sum(gold == label for gold, _ in pairs)
    return TypeScore.from_counts(hits, predicted_count, gold_count)
