"""The interface of a task, which training, evaluation, serving and the command line call.

Trade-off: one wide class instead of one small class for each concern. A reader of a task sees all of it in one
file, and no caller asks which task it has.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from cotpd.data.records import Entity, Post, Record, Span, TaskName
from cotpd.student.tasks.scores import Scores
from cotpd.student.windows import TextWindows

if TYPE_CHECKING:
    from cotpd.student.decoders import Decoder
    from cotpd.student.examples import Example
    from cotpd.student.heads import Head
    from cotpd.student.labels import LabelSet
    from cotpd.student.prediction_input import PredictionInput
    from cotpd.student.predictor import Predictor
    from cotpd.student.tasks import Predicted, Prediction

Mark = tuple[int, int, str]  # a span of tokens, and its type or role
DIGITS = 4  # of a probability: further ones differ between processors, and the table would never be the same again
NO_SCORE = -1.0  # of a prediction without a probability, in a table that another program wrote


def round_score(prediction: Any) -> dict[str, Any]:
    """Return a mention or a label, a named tuple, as an object with its score rounded."""
    values: dict[str, Any] = prediction._asdict()
    return values | {"score": round(values["score"], DIGITS)}


class Annotation(NamedTuple):
    """The gold of one example: mentions (NER), a pair and its relation (RE), or the label of a post."""

    id: str
    entities: tuple[Entity, ...] = ()
    head: Span | None = None
    tail: Span | None = None
    label: str | None = None


class Marking(NamedTuple):
    """One side of a prediction as a reader sees it: spans to mark, and the label of the post as a whole or ""."""

    marks: Sequence[Mark]
    label: str = ""


class Change(NamedTuple):
    """A stretch of an example where prediction and gold differ: the gold labels there, and the predicted ones."""

    removed: tuple[Any, ...]
    added: tuple[Any, ...]


class PredictionRecord(Record, ABC):
    """One row of the predictions table: the gold and the predicted labels of one example."""

    id: str
    split: str
    model: str

    @property
    @abstractmethod
    def post_id(self) -> str:
        """The id of the post that the example was made from."""

    @property
    @abstractmethod
    def is_right(self) -> bool:
        """Whether all of the gold was predicted, and nothing else."""

    @abstractmethod
    def list_counted_gold(self) -> set[tuple[Any, ...]]:
        """Return the gold labels that F1 counts."""

    @abstractmethod
    def list_counted_predictions(self) -> set[tuple[Any, ...]]:
        """Return the predicted labels that F1 counts, without their scores."""

    @abstractmethod
    def list_judged_scores(self) -> list[tuple[float, bool]]:
        """Return score (0 to 1) and rightness of each prediction; one without a score is left out."""

    @abstractmethod
    def pair_labels(self) -> list[tuple[str, str]]:
        """Return gold and predicted label: one pair for an example's label, or for each span of either side."""

    def list_changes(self) -> list[Change]:
        """Return the changes that would turn the gold into the prediction, here of a row with one label."""
        return [Change((gold,), (label,)) for gold, label in self.pair_labels() if gold != label]

    @abstractmethod
    def mark_gold(self, post: Post) -> Marking:
        """Return how to show the gold side in the post that the example was made from."""

    @abstractmethod
    def mark_predicted(self, post: Post) -> Marking:
        """Return how to show the predicted side in the post that the example was made from."""


class Task(ABC):
    """One task."""

    name: ClassVar[TaskName]
    title: ClassVar[str]  # headings of the report
    accuracy_heading: ClassVar[str]
    label_heading: ClassVar[str]
    label_noun: ClassVar[str]  # in messages: "entity types"
    target_noun: ClassVar[str]  # in messages: "mention", what a label is predicted for
    usage_hint: ClassVar[str]  # in messages: what a model of this task labels, and the method to call
    intended_use: ClassVar[str]  # on a model card
    hub_task: ClassVar[str]  # the hub's name of the task, on a model card

    annotation_key: ClassVar[str]  # in messages: where a row of JSON Lines holds the labels
    summary_key: ClassVar[str]  # of data/prepared/summary.json, which lists the labels
    labels_mentions: ClassVar[bool] = True  # whether a mention may be swapped for another of its type
    uncounted: ClassVar[str | None] = None  # a label that the score does not count

    score_name: ClassVar[str] = "F1"  # what readers call the leading score
    score_key: ClassVar[str] = "f1"  # its name in scores.json; it equals micro F1 for every task
    # the columns of a table of results, by their names in scores.json
    score_headings: ClassVar[Mapping[str, str]] = {
        "precision": "precision",
        "recall": "recall",
        "f1": "F1",
        "macro_f1": "macro F1",
    }

    method: ClassVar[str]  # of a student, which predicts this task
    reads_pair: ClassVar[bool] = False  # whether an example names two mentions, which are put between markers
    scores_words: ClassVar[bool] = True  # whether the head scores each word, or the example as a whole
    has_extents: ClassVar[bool]  # whether a prediction may be wrong in its ends
    example_row: ClassVar[Mapping[str, str]]  # input columns of a served model, with a value for each
    many_field: ClassVar[str] = "texts"  # of a request to the server: its list of rows
    output_columns: ClassVar[Mapping[str, str]]  # of each prediction: MLflow's type by name
    output_list: ClassVar[str | None]  # the column that holds a list of predictions; None: one prediction a row
    no_prediction: ClassVar[Mapping[str, Any]]  # the columns of a row without a prediction
    shell_arguments: ClassVar[str] = ""  # put before the text in an example of `cotpd predict`

    @abstractmethod
    def list_data_labels(self, post: Post) -> Iterable[str]:
        """Return each label that a post is annotated with, in any order and as often as it occurs."""

    def prepare_post(self, post: Post) -> Post | None:
        """Return a post as the steps read it; None if it holds nothing that this task reads."""
        return post.model_copy(update={"label": None})

    def find_fault(self, post: Post) -> str:
        """Return why a labelled split cannot hold the post; nothing if it can."""
        return ""

    @abstractmethod
    def read_gold(self, post: Post) -> list[Annotation]:
        """Return the gold of each example of a post.

        Raises:
            DataError: The annotation cannot be learnt; the message names file and line.
        """

    def apply_change(self, post: Post, example_id: str, change: Change) -> Post:
        """Return the post with the gold of one of its examples changed, here the label of the post.

        Args:
            post: With the gold that the change was computed from.
            example_id: The id of the example, as :meth:`read_gold` gives it.
            change: One of the changes of a prediction on that example.
        """
        return post.model_copy(update={"label": change.added[0]})

    @abstractmethod
    def drop_gold(self, post: Post) -> Post:
        """Return the post without what a model of this task shall find."""

    @abstractmethod
    def list_label_names(self, types: Sequence[str]) -> tuple[str, ...]:
        """Return the head's outputs in their order: BIO tags, or labels. ``types`` are sorted and unique."""

    @abstractmethod
    def list_types(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return entity types or labels, from the head's outputs."""

    @abstractmethod
    def encode_gold(self, example: "Example", labels: "LabelSet") -> list[int]:
        """Return the index of each state's gold output, or of the example's label; empty where it has none.

        Raises:
            DataError: The example holds a label outside the inventory.
        """

    @abstractmethod
    def place_states(
        self, example: "Example", subwords: list[list[int]], vocabulary: int, room: int
    ) -> TextWindows:
        """Cut an example's sub-words into windows, and place the states that the head reads.

        Args:
            example: One that names a head and a tail, if the task reads pairs.
            subwords: The ids of each word's sub-words.
            vocabulary: The first id of a marker.
            room: The most sub-words of a window.

        Raises:
            DataError: The task reads pairs, and the example names none.
        """

    @abstractmethod
    def build_head(self, width: int, labels: "LabelSet", constrained: bool, dropout: float) -> "Head":
        """Return a new head over states of ``width``."""

    @abstractmethod
    def build_decoder(self, labels: "LabelSet", weights: Sequence[Any] | None) -> "Decoder":
        """Return what decodes the scores of an exported student.

        Args:
            labels: The inventory.
            weights: Start, transition and end scores of the head's chain; None if it has none.

        Raises:
            ValueError: The chain is missing, or of another inventory.
        """

    @abstractmethod
    def predict(
        self, student: "Predictor", inputs: Sequence["PredictionInput"], batch_size: int
    ) -> list[dict[str, Any]]:
        """Return the prediction of each input as a user reads it: characters of the text, rounded scores."""

    @abstractmethod
    def list_gold(self, example: "Example") -> set[tuple[Any, ...]]:
        """Return the gold labels of an example, as the targets of its predictions."""

    @abstractmethod
    def list_targets(self, example: "Example") -> list[tuple[Span | None, str]]:
        """Return each gold mention's span of tokens, or None for a pair or a post, with its label."""

    @abstractmethod
    def pool_states(self, states: np.ndarray, spans: Sequence[Span | None]) -> np.ndarray:
        """Return a vector for each span, from an example's states (T, d).

        Returns:
            (spans, d) for mentions and posts, (spans, 2d) for pairs.
        """

    @abstractmethod
    def read_extracted(self, mentions: Sequence[Entity], label: str | None) -> list["Predicted"]:
        """Return what a language model labelled as predictions without scores.

        Args:
            mentions: Its mentions, in tokens.
            label: Its label of the example; None if it gave none that can be used.
        """

    @abstractmethod
    def build_prediction(
        self, example: "Example", predicted: Sequence["Predicted"], split: str, model: str
    ) -> "Prediction":
        """Return the row of the predictions table for an example; probabilities are rounded.

        Raises:
            DataError: An example that has one label lacks it, or has not exactly one prediction.
        """

    def select_counted(self, predictions: Iterable["Predicted"]) -> set[tuple[Any, ...]]:
        """Return the predictions that the score counts, without their probabilities."""
        return {prediction.target for prediction in predictions if prediction.label != self.uncounted}

    def select_counted_gold(self, example: "Example") -> set[tuple[Any, ...]]:
        """Return the gold labels of an example that the score counts."""
        return {target for target in self.list_gold(example) if target[-1] != self.uncounted}

    @abstractmethod
    def score(self, predictions: Iterable["Prediction"]) -> Scores:
        """Score one model's predictions on one split.

        Raises:
            DataError: A prediction of another task, or two spans of one side share a token.
        """
