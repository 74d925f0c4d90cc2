"""The interface of a loaded student, whichever library runs it: text in, mentions or labels out.

It needs no torch.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from cotpd.data.words import Text
from cotpd.escaping import escape_html
from cotpd.student.tasks import Span

if TYPE_CHECKING:
    from cotpd.data.records import WordSplitting
    from cotpd.student.labels import LabelSet

Backend = Literal["torch", "onnx", "onnx-int8"]
LOOK_AHEAD = 16  # batches
_HUES = 360


class Mention(NamedTuple):
    """A predicted mention, end exclusive: in characters of the text, or in words where the words were given."""

    start: int
    end: int
    text: str
    type: str
    score: float


class Mentions(list[Mention]):
    """The mentions of one text, in order: a list, which a notebook shows as the text with its mentions marked.

    Attributes:
        text: The text.
        spans: The mentions in characters of it, which is what they count unless words were given.
    """

    def __init__(self, text: str = "", mentions: Iterable[Mention] = (), spans: Sequence[Span] = ()) -> None:
        super().__init__(mentions)
        self.text, self.spans = text, tuple(spans)

    def _repr_html_(self) -> str:
        """Return the text with its mentions marked; Jupyter calls it."""
        return mark_mentions(self.text, self.spans, [(mention.type, mention.score) for mention in self])


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

    def predict(self, texts: Sequence[Text], batch_size: int = 32, look_ahead: int = LOOK_AHEAD) -> list[Mentions]:
        """Find the mentions in texts, in order; empty text has none."""
        ...

    def predict_relations(
        self, pairs: Sequence[tuple[Text, Span | str, Span | str]], batch_size: int = 32
    ) -> list[Relation]:
        """Label the relation between two mentions of each text, in order."""
        ...

    def predict_labels(
        self, texts: Sequence[Text], batch_size: int = 32, look_ahead: int = LOOK_AHEAD
    ) -> list[PostLabel | None]:
        """Label each text as a whole, in order; empty text has no label."""
        ...


def mark_mentions(text: str, spans: Sequence[Span], labels: Sequence[tuple[str, float]]) -> str:
    """Return a text as HTML, each mention on a colour of its type, with type and score; hostile text stays text.

    Args:
        text: The text.
        spans: The mentions in characters of it, in order, without overlap.
        labels: Their types and scores.
    """
    parts, position = [], 0
    for (start, end), (label, score) in zip(spans, labels, strict=True):
        hue = sum(map(ord, label)) * 47 % _HUES  # the same in every run
        style = f"background:hsl({hue},70%,85%);color:#111;border-radius:.3em;padding:.1em .3em"
        name = f"<small>{escape_html(label)} {score:.2f}</small>"
        parts.append(escape_html(text[position:start]))
        parts.append(f'<mark style="{style}">{escape_html(text[start:end])} {name}</mark>')
        position = end
    return f'<div style="white-space:pre-wrap">{"".join(parts)}{escape_html(text[position:])}</div>'
