"""What every loaded student offers, whichever library runs it: text in, mentions or labels out.

It needs no torch.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from cotpd.data.words import Text
from cotpd.student.tasks import Span

if TYPE_CHECKING:
    from cotpd.data.records import WordSplitting
    from cotpd.student.labels import LabelSet

Backend = Literal["torch", "onnx", "onnx-int8"]
LOOK_AHEAD = 16  # batches


class Mention(NamedTuple):
    """A predicted mention, end exclusive: in characters of the text, or in words where the words were given."""

    start: int
    end: int
    text: str
    type: str
    score: float


class Relation(NamedTuple):
    """A predicted relation of a pair."""

    label: str
    score: float


class PostLabel(NamedTuple):
    """The predicted label of a post."""

    label: str
    score: float


class Predictor(Protocol):
    """A trained student, ready to label text.

    Attributes:
        labels: The inventory, which also says the task.
        backend: What runs it.
        words: How text becomes words.
    """

    labels: "LabelSet"
    backend: Backend
    words: "WordSplitting"

    def predict(
        self, texts: Iterable[Text], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[list[Mention]]:
        """Find the mentions in texts, in order; empty text has none."""
        ...

    def predict_relations(
        self, pairs: Iterable[tuple[Text, Span | str, Span | str]], batch_size: int = 32
    ) -> Iterator[Relation]:
        """Label the relation between two mentions of each text, in order."""
        ...

    def predict_labels(
        self, texts: Iterable[Text], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> Iterator[PostLabel | None]:
        """Label each text as a whole, in order; empty text has no label."""
        ...
