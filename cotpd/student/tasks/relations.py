"""Relations (RE): one label for a pair of mentions, which are put between markers.

Scores follow MNRE's scorer (Zheng et al. 2021): precision over the predictions, recall over the golds, that are
not ``None``.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cotpd.data.records import NO_RELATION, Entity, Post, Span
from cotpd.errors import DataError
from cotpd.student.tasks.base import Annotation, Change, Mark, Marking, PredictionRecord, round_score
from cotpd.student.tasks.single_label import LabelPrediction, SingleLabelTask
from cotpd.student.windows import TextWindows, insert_markers

if TYPE_CHECKING:
    from cotpd.student.examples import Example
    from cotpd.student.heads import Head
    from cotpd.student.labels import LabelSet
    from cotpd.student.prediction_input import PredictionInput
    from cotpd.student.predictor import Predictor


class RePrediction(LabelPrediction):
    """One row of the predictions table: gold and predicted relation of a pair.

    ``id`` is the post's id, ``#``, and the index of the relation in the post.
    """

    uncounted = NO_RELATION

    @property
    def post_id(self) -> str:
        """The id of the post that holds the pair."""
        return self.id.rpartition("#")[0]

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


class Relations(SingleLabelTask):
    """The relation between two mentions of a post."""

    name = "re"
    title = "Relations"
    accuracy_heading = "accuracy"
    label_heading = "relation"
    label_noun = "relation labels"
    target_noun = "pair"
    usage_hint = "relations: use predict_relations()"
    intended_use = "Naming the relation between two given mentions of short posts like those that it learnt from."
    hub_task = "text-classification"
    annotation_key = '"relations" with a "label"'
    summary_key = "labels"
    uncounted = NO_RELATION
    method = "predict_relations"
    reads_pair = True
    scores_words = False
    example_row = {  # noqa: RUF012
        "text": "Eileen Collins waves from the pad at Kennedy Space Center",
        "head": "Eileen Collins",
        "tail": "Kennedy Space Center",
    }
    many_field = "pairs"
    shell_arguments = '--head "Eileen Collins" --tail NASA '

    def list_data_labels(self, post: Post) -> Iterable[str]:
        """Return the label of each relation."""
        return post.list_labels()

    def prepare_post(self, post: Post) -> Post | None:
        """Return a post without a label of its own; None if it has no pair."""
        return super().prepare_post(post) if post.relations else None

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

    def pool_states(self, states: np.ndarray, spans: Sequence[Span | None]) -> np.ndarray:
        """Return the two marker states put end to end, once for each span: (spans, 2d)."""
        return np.stack([states.reshape(-1)] * len(spans)) if spans else np.empty((0, states.size))

    def predict(
        self, student: "Predictor", inputs: Sequence["PredictionInput"], batch_size: int
    ) -> list[dict[str, Any]]:
        """Return ``{"label", "score"}`` for each pair."""
        pairs = [(row.content, row.head, row.tail) for row in inputs if row.head and row.tail]
        return list(map(round_score, student.predict_relations(pairs, batch_size)))

    def build_row(self, **values: Any) -> RePrediction:
        """Return a row of the predictions table."""
        return RePrediction(**values)

    def _require_row(self, row: PredictionRecord) -> RePrediction:
        if not isinstance(row, RePrediction):
            raise DataError(f"post {row.id}: of another task, among relations", "Score one task at a time.")
        return row


def _get_span(entity: Entity) -> Span:
    return (entity.start, entity.end)
