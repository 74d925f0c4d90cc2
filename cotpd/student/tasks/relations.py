"""Relations (RE): one label for a pair of mentions, which are put between markers.

Scores follow MNRE's scorer (Zheng et al. 2021): precision over the predictions, recall over the golds, that are
not ``None``.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cotpd.data.records import NO_RELATION, Entity, Post, Span
from cotpd.errors import DataError
from cotpd.student.tasks.base import NO_SCORE, Annotation, Change, Mark, Marking, PredictionRecord, Task
from cotpd.student.tasks.scores import Scores, TypeScore
from cotpd.student.windows import TextWindows, insert_markers

if TYPE_CHECKING:
    from cotpd.student.examples import Example
    from cotpd.student.heads import Head
    from cotpd.student.labels import LabelSet
    from cotpd.student.tasks import Predicted

DIGITS = 4  # of a probability: further ones differ between processors, and the table would never be the same again


class GoldRelation(NamedTuple):
    """The annotated relation of a pair."""

    label: str

    def describe(self, example: "Example") -> str:
        """Return the label."""
        return self.label


class PredictedRelation(NamedTuple):
    """A predicted relation of a pair and its probability."""

    label: str
    score: float = NO_SCORE

    @property
    def target(self) -> GoldRelation:
        """The relation without its score."""
        return GoldRelation(self.label)

    @property
    def span(self) -> None:
        """None: a relation has no tokens of its own."""
        return None


class RePrediction(PredictionRecord):
    """One row of the predictions table: gold and predicted relation of a pair.

    ``id`` is the post's id, ``#``, and the index of the relation in the post.
    """

    gold: GoldRelation
    predicted: PredictedRelation

    @property
    def post_id(self) -> str:
        """The id of the post that holds the pair."""
        return self.id.rpartition("#")[0]

    @property
    def is_right(self) -> bool:
        """Whether the label is the gold one, None included."""
        return self.gold.label == self.predicted.label

    def list_counted_gold(self) -> set[tuple[Any, ...]]:
        """Return the gold relation; none if it is None."""
        return set() if self.gold.label == NO_RELATION else {self.gold}

    def list_counted_predictions(self) -> set[tuple[Any, ...]]:
        """Return the predicted relation without its score; none if it is None."""
        return set() if self.predicted.label == NO_RELATION else {self.predicted.target}

    def list_judged_scores(self) -> list[tuple[float, bool]]:
        """Return score and rightness of the relation, if it has a score."""
        return [(self.predicted.score, self.is_right)] if self.predicted.score != NO_SCORE else []

    def pair_labels(self) -> list[tuple[str, str]]:
        """Return gold and predicted label."""
        return [(self.gold.label, self.predicted.label)]

    def match_gold(self) -> list[tuple[PredictedRelation, tuple[GoldRelation, ...]]]:
        """Return the predicted relation with the gold one."""
        return [(self.predicted, (self.gold,))]

    def mark_gold(self, post: Post) -> Marking:
        """Return head and tail, and the gold label."""
        return Marking(self._mark_pair(post), self.gold.label)

    def mark_predicted(self, post: Post) -> Marking:
        """Return head and tail, and the predicted label."""
        return Marking(self._mark_pair(post), self.predicted.label)

    def _mark_pair(self, post: Post) -> list[Mark]:
        """Return the tokens of head and tail with their roles, of the relation that the id counts in the post."""
        relation = post.relations[int(self.id.rpartition("#")[2])]
        head, tail = post.entities[relation.head], post.entities[relation.tail]
        return [(head.start, head.end, "head"), (tail.start, tail.end, "tail")]


class Relations(Task):
    """The relation between two mentions of a post."""

    name = "re"
    title = "Relations"
    accuracy_heading = "accuracy"
    label_heading = "relation"
    label_noun = "relation labels"
    target_noun = "pair"
    usage_hint = "relations: use predict_relations()"
    summary_key = "labels"
    reads_pair = True
    has_extents = False
    example_row = {  # noqa: RUF012
        "text": "Eileen Collins waves from the pad at Kennedy Space Center",
        "head": "Eileen Collins",
        "tail": "Kennedy Space Center",
    }
    output_columns = {"label": "string", "score": "double"}  # noqa: RUF012
    output_list = None
    shell_arguments = '--head "Eileen Collins" --tail NASA '

    def read_gold(self, post: Post) -> list[Annotation]:
        """Return each relation of a post as an example; a post without relations gives none."""
        return [
            Annotation(
                id=f"{post.id}#{index}",
                head=_get_span(post.entities[relation.head]),
                tail=_get_span(post.entities[relation.tail]),
                label=relation.label,
            )
            for index, relation in enumerate(post.relations)
        ]

    def apply_change(self, post: Post, example_id: str, change: Change) -> Post:
        """Return the post with another label for the relation that the example's id counts."""
        index = int(example_id.rpartition("#")[2])
        relations = list(post.relations)
        relations[index] = relations[index].model_copy(update={"label": change.added[0]})
        return post.model_copy(update={"relations": tuple(relations)})

    def drop_gold(self, post: Post) -> Post:
        """Return the post as it is: its pairs say which mentions to relate; their labels are removed later."""
        return post

    def list_label_names(self, types: Sequence[str]) -> tuple[str, ...]:
        """Return None first, if it is among the labels, then the others."""
        return tuple(sorted(types, key=lambda label: (label != NO_RELATION, label)))

    def list_types(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the relation labels."""
        return tuple(names)

    def encode_gold(self, example: "Example", labels: "LabelSet") -> list[int]:
        """Return the relation's index; nothing if the example has no label.

        Raises:
            DataError: The label is outside the inventory.
        """
        return [] if example.label is None else [labels.find_index(example.label, example.label, example)]

    def place_states(
        self, example: "Example", subwords: list[list[int]], vocabulary: int, room: int
    ) -> TextWindows:
        """Put markers around head and tail; the states are those of the two opening markers.

        Raises:
            DataError: The example has no head or no tail.
        """
        if example.head is None or example.tail is None:
            raise DataError(f"post {example.id}: no head or no tail", "A relation is that of a pair.")
        return insert_markers(subwords, example.head, example.tail, vocabulary, room)

    def build_head(self, width: int, labels: "LabelSet", constrained: bool, dropout: float) -> "Head":
        """Return a classifier; it has no constraints."""
        from cotpd.student.heads import ReHead  # noqa: PLC0415  torch, which naming a task need not load

        return ReHead(width, labels, dropout)

    def list_targets(self, example: "Example") -> list[tuple[Span | None, str]]:
        """Return None, which stands for the pair, with its label; nothing if it has none."""
        return [] if example.label is None else [(None, example.label)]

    def pool_states(self, states: np.ndarray, spans: Sequence[Span | None]) -> np.ndarray:
        """Return the two marker states put end to end, once for each span: (spans, 2d)."""
        return np.stack([states.reshape(-1)] * len(spans)) if spans else np.empty((0, states.size))

    def read_extracted(self, mentions: Sequence[Entity], label: str | None) -> list["Predicted"]:
        """Return the relation; no answer is no relation."""
        return [PredictedRelation(NO_RELATION if label is None else label)]

    def build_prediction(
        self, example: "Example", predicted: Sequence["Predicted"], split: str, model: str
    ) -> RePrediction:
        """Return gold and predicted relation as a row.

        Raises:
            DataError: The example has no label, or it was not predicted as exactly one relation.
        """
        relations = [relation for relation in predicted if isinstance(relation, PredictedRelation)]
        if example.label is None or len(relations) != 1:
            raise DataError(f"post {example.id}: no gold label or no single prediction", "Predict labelled pairs.")
        relation = relations[0]._replace(score=round(relations[0].score, DIGITS))
        gold = GoldRelation(example.label)
        return RePrediction(id=example.id, split=split, model=model, gold=gold, predicted=relation)

    def score(self, predictions: Iterable[PredictionRecord]) -> Scores:
        """Score every label but None; a None that should be a relation costs recall only.

        Raises:
            DataError: A prediction is of named entities.
        """
        rows = [_require_relation(row) for row in predictions]
        pairs = [(row.gold.label, row.predicted.label) for row in rows]
        labels = sorted(set(chain.from_iterable(pairs)) - {NO_RELATION})
        per_type = {label: _score_label(pairs, label) for label in labels}

        hits = sum(gold == predicted != NO_RELATION for gold, predicted in pairs)
        predicted_count = sum(predicted != NO_RELATION for _, predicted in pairs)
        gold_count = sum(gold != NO_RELATION for gold, _ in pairs)
        micro = TypeScore.from_counts(hits, predicted_count, gold_count)
        accuracy = float(np.mean([gold == predicted for gold, predicted in pairs])) if pairs else 0.0
        return Scores.from_types(micro.precision, micro.recall, micro.f1, accuracy, per_type)


def _get_span(entity: Entity) -> Span:
    return (entity.start, entity.end)


def _require_relation(row: PredictionRecord) -> RePrediction:
    """Return the row; fail if it is a prediction of named entities."""
    if not isinstance(row, RePrediction):
        raise DataError(f"post {row.id}: named entities among relations", "Score one task at a time.")
    return row


def _score_label(pairs: Sequence[tuple[str, str]], label: str) -> TypeScore:
    """Return the scores of one label, from pairs of gold and predicted label."""
    hits = sum(gold == predicted == label for gold, predicted in pairs)
    predicted_count = sum(predicted == label for _, predicted in pairs)
    gold_count = sum(gold == label for gold, _ in pairs)
    return TypeScore.from_counts(hits, predicted_count, gold_count)
