"""Named entities (NER): a BIO tag for each word, decoded by a CRF.

Scores go through seqeval's default mode, on BIO tags made from the spans, although sets of spans would give the
same numbers faster: what the literature reports for Twitter-2015/2017 was computed that way.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from cotpd.data.bio import OUTSIDE, encode_spans, split_tag
from cotpd.data.records import Entity, Post, Span, replace_entities
from cotpd.errors import DataError
from cotpd.student.tasks.base import (
    DIGITS,
    Annotation,
    Change,
    PredictionRecord,
    Task,
    round_score,
)
from cotpd.student.tasks.mention_predictions import GoldMention, NerPrediction, PredictedMention
from cotpd.student.tasks.scores import Scores, TypeScore
from cotpd.student.windows import TextWindows, cut_windows

if TYPE_CHECKING:
    from cotpd.student.decoders import Decoder
    from cotpd.student.examples import Example
    from cotpd.student.heads import Head
    from cotpd.student.labels import LabelSet
    from cotpd.student.prediction_input import PredictionInput
    from cotpd.student.predictor import Predictor
    from cotpd.student.tasks import Predicted


class NamedEntities(Task):
    """Mentions of a post and their types."""

    name = "ner"
    title = "Named entities"
    accuracy_heading = "posts all right"
    label_heading = "type"
    label_noun = "entity types"
    target_noun = "mention"
    usage_hint = "mentions: use predict()"
    intended_use = (
        "Finding the named entities of short posts like those that it learnt from, in the same language."
    )
    hub_task = "token-classification"
    annotation_key = 'an entity\'s "type"'
    summary_key = "types"
    method = "predict"
    has_extents = True
    example_row = {"text": "Eileen Collins waves from the pad at Kennedy Space Center"}  # noqa: RUF012
    output_columns = {  # noqa: RUF012
        "start": "long",
        "end": "long",
        "type": "string",
        "text": "string",
        "score": "double",
    }
    output_list = "entities"
    no_prediction = {"entities": []}  # noqa: RUF012

    def list_data_labels(self, post: Post) -> Iterable[str]:
        """Return the type of each mention that has one."""
        return post.list_types()

    def read_gold(self, post: Post) -> list[Annotation]:
        """Return the mentions of a post, in their order, as one example.

        Raises:
            DataError: Two mentions overlap, which BIO tags cannot express, or one has no type.
        """
        entities = tuple(sorted(post.entities, key=lambda entity: (entity.start, entity.end)))
        _require_types(post, entities)
        _require_no_overlap(post, entities)
        return [Annotation(post.id, entities)]

    def apply_change(self, post: Post, example_id: str, change: Change) -> Post:
        """Return the post with gold mentions replaced; a relation follows its mention, or goes with it."""
        removed = {tuple(mention) for mention in change.removed}
        entities = [entity for entity in post.entities if (entity.start, entity.end, entity.type) not in removed]
        entities += [Entity(start=start, end=end, type=label) for start, end, label in change.added]
        return replace_entities(post, entities)

    def drop_gold(self, post: Post) -> Post:
        """Return the post without mentions and relations."""
        return post.model_copy(update={"entities": (), "relations": ()})

    def list_label_names(self, types: Sequence[str]) -> tuple[str, ...]:
        """Return O, then B- and I- of each type."""
        pairs = ((f"B-{kind}", f"I-{kind}") for kind in types)
        return (OUTSIDE, *chain.from_iterable(pairs))

    def list_types(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the entity types."""
        return tuple(name[2:] for name in names if name.startswith("B-"))

    def encode_gold(self, example: "Example", labels: "LabelSet") -> list[int]:
        """Return the index of each token's tag.

        Raises:
            DataError: A mention has a type outside the inventory.
        """
        spans = [(entity.start, entity.end, str(entity.type)) for entity in example.entities]
        tags = encode_spans(spans, len(example.tokens))
        return [labels.find_index(tag, split_tag(tag)[1], example) for tag in tags]

    def place_states(
        self, example: "Example", subwords: list[list[int]], vocabulary: int, room: int
    ) -> TextWindows:
        """Cut the sub-words into windows; a word's state is that of its first sub-word."""
        return cut_windows(subwords, room)

    def build_head(self, width: int, labels: "LabelSet", constrained: bool, dropout: float) -> "Head":
        """Return a linear layer and a CRF."""
        from cotpd.student.heads import NerHead  # noqa: PLC0415  torch, which naming a task need not load

        return NerHead(width, labels, constrained, dropout)

    def build_decoder(self, labels: "LabelSet", weights: Sequence[Any] | None) -> "Decoder":
        """Return the decoder of a linear-chain CRF.

        Raises:
            ValueError: The chain is missing, or of another inventory.
        """
        from cotpd.student.decoders import MentionDecoder  # noqa: PLC0415  it imports the tasks

        arrays = [np.asarray(weight, np.float32) for weight in weights or ()]
        if set(chain.from_iterable(array.shape for array in arrays)) != {len(labels.names)}:
            raise ValueError("of a student with other labels")
        return MentionDecoder(labels, *arrays)

    def predict(
        self, student: "Predictor", inputs: Sequence["PredictionInput"], batch_size: int
    ) -> list[dict[str, Any]]:
        """Return ``{"entities": [...]}`` for each text."""
        predictions = student.predict([row.content for row in inputs], batch_size)
        return [{"entities": list(map(round_score, mentions))} for mentions in predictions]

    def list_gold(self, example: "Example") -> set[tuple[Any, ...]]:
        """Return the gold mentions."""
        return {GoldMention(entity.start, entity.end, str(entity.type)) for entity in example.entities}

    def list_targets(self, example: "Example") -> list[tuple[Span | None, str]]:
        """Return span and type of each gold mention."""
        return [((entity.start, entity.end), entity.type or "") for entity in example.entities]

    def pool_states(self, states: np.ndarray, spans: Sequence[Span | None]) -> np.ndarray:
        """Return the mean of the states of each span's words, (spans, d)."""
        means = [states[span[0] : span[1]].mean(0) for span in spans if span is not None]
        return np.stack(means) if means else np.empty((0, states.shape[1]))

    def read_extracted(self, mentions: Sequence[Entity], label: str | None) -> list["Predicted"]:
        """Return the mentions."""
        return [PredictedMention(mention.start, mention.end, str(mention.type)) for mention in mentions]

    def build_prediction(
        self, example: "Example", predicted: Sequence["Predicted"], split: str, model: str
    ) -> NerPrediction:
        """Return gold and predicted mentions as a row."""
        gold = [GoldMention(entity.start, entity.end, str(entity.type)) for entity in example.entities]
        mentions = [
            mention._replace(score=round(mention.score, DIGITS))
            for mention in predicted
            if isinstance(mention, PredictedMention)
        ]
        return NerPrediction(id=example.id, split=split, model=model, gold=gold, predicted=mentions)

    def score(self, predictions: Iterable[PredictionRecord]) -> Scores:
        """Score mentions: one counts only with both its ends and its type right.

        Raises:
            DataError: A prediction is of another task, or two mentions of one side share a token.
        """
        from seqeval.metrics.sequence_labeling import precision_recall_fscore_support  # noqa: PLC0415  the extra pipeline

        rows = [_require_mentions(row) for row in predictions]
        gold, predicted = [], []
        types: set[str] = set()
        for row in rows:
            targets = [mention.target for mention in row.predicted]
            length = max((span.end for span in (*row.gold, *targets)), default=0)
            gold.append(_encode_bio(row.gold, length, row.id))
            predicted.append(_encode_bio(targets, length, row.id))
            types |= {span.label for span in (*row.gold, *targets)}
        accuracy = float(np.mean([row.is_right for row in rows])) if rows else 0.0
        if not types:
            return Scores(0.0, 0.0, 0.0, 0.0, accuracy, 0)

        micro = precision_recall_fscore_support(gold, predicted, average="micro", zero_division=0)
        columns = precision_recall_fscore_support(gold, predicted, average=None, zero_division=0)
        per_type = {
            kind: TypeScore(float(precision), float(recall), float(f1), int(support))
            for kind, precision, recall, f1, support in zip(sorted(types), *columns, strict=True)
        }
        return Scores.from_types(float(micro[0]), float(micro[1]), float(micro[2]), accuracy, per_type)


def _require_types(post: Post, entities: Sequence[Entity]) -> None:
    """Fail, naming file and line, if a mention has no type."""
    for entity in entities:
        if entity.type is None:
            raise DataError(
                f"{post.file}:{post.line}: post {post.id}: the mention {post.get_mention(entity)!r} has no type",
                "Give it one, or use task: re.",
            )


def _require_no_overlap(post: Post, entities: Sequence[Entity]) -> None:
    """Fail, naming file and line, if two mentions share a token; the mentions come in the order of the text."""
    for left, right in pairwise(entities):
        if right.start < left.end:
            raise DataError(
                f"{post.file}:{post.line}: post {post.id}: {post.get_mention(left)!r} and"
                f" {post.get_mention(right)!r} overlap",
                "BIO tags know no overlap: keep one of the two.",
            )


def _require_mentions(row: PredictionRecord) -> NerPrediction:
    """Return the row; fail if it is a prediction of another task."""
    if not isinstance(row, NerPrediction):
        raise DataError(f"post {row.id}: a label among named entities", "Score one task at a time.")
    return row


def _encode_bio(spans: Sequence[GoldMention], length: int, post_id: str) -> list[str]:
    """Return a BIO tag for each of ``length`` tokens; fail, naming the post, if two spans share one."""
    try:
        return encode_spans(spans, length)
    except ValueError as error:
        remedy = "Entities of one post hold at least one token and must not overlap."
        raise DataError(f"post {post_id}: {error}", remedy) from None
