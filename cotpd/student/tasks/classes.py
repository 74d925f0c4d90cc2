"""Classes: one label for a whole post, such as its sentiment.

Trade-off: each word votes, and the mean of the votes is the post's score. Posts of any length are read whole, and
an export has the same graph as that of named entities; a deeper classifier over one vector would need its own.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import field_validator

from cotpd.data.records import Post, Span, TaskName
from cotpd.errors import DataError
from cotpd.student.tasks.base import Annotation, Marking, PredictionRecord, round_score
from cotpd.student.tasks.single_label import LabelPrediction, SingleLabelTask
from cotpd.student.windows import TextWindows, cut_windows

if TYPE_CHECKING:
    from cotpd.student.decoders import Decoder
    from cotpd.student.examples import Example
    from cotpd.student.heads import Head
    from cotpd.student.labels import LabelSet
    from cotpd.student.prediction_input import PredictionInput
    from cotpd.student.predictor import Predictor


class ClassPrediction(LabelPrediction):
    """One row of the predictions table: gold and predicted class of a post.

    ``task`` tells the rows of such tasks from those of relations, which look alike.
    """

    uncounted = None
    task: TaskName

    @field_validator("task")
    @classmethod
    def _check_not_empty(cls, task: str) -> str:
        if not task:
            raise ValueError("a row of classes names its task")
        return task

    @property
    def post_id(self) -> str:
        """The id of the post: a post is one example."""
        return self.id

    def mark_gold(self, post: Post) -> Marking:
        """Return the gold label; no words are marked."""
        return Marking((), self.gold.label)

    def mark_predicted(self, post: Post) -> Marking:
        """Return the predicted label; no words are marked."""
        return Marking((), self.predicted.label)


class Classes(SingleLabelTask):
    """One label for a post. A subclass names the task and its words."""

    accuracy_heading = "accuracy"
    label_heading = "label"
    label_noun = "labels of posts"
    target_noun = "post"
    usage_hint = "posts: use predict_labels()"
    intended_use = "Labelling short posts like those that it learnt from."
    hub_task = "text-classification"
    annotation_key = '"label"'
    summary_key = "classes"
    labels_mentions = False
    score_name = "accuracy"
    score_key = "accuracy"
    score_headings = {"accuracy": "accuracy", "macro_f1": "macro F1"}  # noqa: RUF012
    method = "predict_labels"
    example_row = {"text": "Eileen Collins waves from the pad at Kennedy Space Center"}  # noqa: RUF012

    def list_data_labels(self, post: Post) -> Iterable[str]:
        """Return the post's label, if it has one."""
        return post.list_classes()

    def prepare_post(self, post: Post) -> Post | None:
        """Return the post as it is: its mentions are named in the question for a rewrite, which keeps them."""
        return post

    def find_fault(self, post: Post) -> str:
        """Return that the post has no label, if so."""
        return "" if [*self.list_data_labels(post)] else "the post has no label"

    def read_gold(self, post: Post) -> list[Annotation]:
        """Return the post as one example, with its label if it has one.

        Raises:
            DataError: The post has several labels.
        """
        labels = [*self.list_data_labels(post)]
        if len(labels) > 1:
            raise DataError(f"{post.file}:{post.line}: post {post.id}: several labels", "Give it one.")
        return [Annotation(post.id, label=labels[0] if labels else None)]

    def drop_gold(self, post: Post) -> Post:
        """Return the post without its label."""
        return post.model_copy(update={"label": None})

    def place_states(
        self, example: "Example", subwords: list[list[int]], vocabulary: int, room: int
    ) -> TextWindows:
        """Cut the sub-words into windows; a word's state is that of its first sub-word."""
        return cut_windows(subwords, room)

    def build_head(self, width: int, labels: "LabelSet", constrained: bool, dropout: float) -> "Head":
        """Return a linear layer whose scores are averaged over the words; it has no constraints."""
        from cotpd.student.heads import PostHead  # noqa: PLC0415  torch, which naming a task need not load

        return PostHead(width, labels, dropout)

    def build_decoder(self, labels: "LabelSet", weights: Sequence[Any] | None) -> "Decoder":
        """Return a softmax over scores that are averaged over the words."""
        from cotpd.student.decoders import PostDecoder  # noqa: PLC0415  it imports the tasks

        return PostDecoder(labels)

    def pool_states(self, states: np.ndarray, spans: Sequence[Span | None]) -> np.ndarray:
        """Return the mean of the states of all words, once for each span: (spans, d)."""
        return np.stack([states.mean(0)] * len(spans)) if spans else np.empty((0, states.shape[1]))

    def predict(
        self, student: "Predictor", inputs: Sequence["PredictionInput"], batch_size: int
    ) -> list[dict[str, Any]]:
        """Return ``{"label", "score"}`` for each text, both None for a text without a word."""
        labels = student.predict_labels([row.content for row in inputs], batch_size)
        return [dict(self.no_prediction) if label is None else round_score(label) for label in labels]

    def build_row(self, **values: Any) -> ClassPrediction:
        """Return a row of the predictions table."""
        return ClassPrediction(task=self.name, **values)

    def _require_row(self, row: PredictionRecord) -> ClassPrediction:
        if not isinstance(row, ClassPrediction) or row.task != self.name:
            raise DataError(f"post {row.id}: of another task than {self.name}", "Score one task at a time.")
        return row


class Sentiment(Classes):
    """The sentiment of a post."""

    name = "sentiment"
    title = "Sentiment"
    label_heading = "sentiment"
    label_noun = "sentiments"
    intended_use = "Naming the sentiment of short posts like those that it learnt from."
