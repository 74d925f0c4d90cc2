"""Mentions as the gold and a model have them, and the rows of the predictions table that hold both."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cotpd.data.records import Post, Span
from cotpd.student.tasks.base import NO_SCORE, Change, Marking, PredictionRecord

if TYPE_CHECKING:
    from cotpd.student.examples import Example

NOTHING = "(nothing)"  # the other side of a missed or a spurious entity


class GoldMention(NamedTuple):
    """An annotated mention: tokens ``start`` to ``end`` (exclusive) and its type."""

    start: int
    end: int
    label: str

    def describe(self, example: "Example") -> str:
        """Return the mention's text and its type."""
        first, last = example.offsets[self.start][0], example.offsets[self.end - 1][1]
        return f"{example.text[first:last]} {self.label}"


class PredictedMention(NamedTuple):
    """A predicted mention in tokens, with the probability that exactly this mention stands there."""

    start: int
    end: int
    label: str
    score: float = NO_SCORE

    @property
    def target(self) -> GoldMention:
        """The mention without its score."""
        return GoldMention(self.start, self.end, self.label)

    @property
    def span(self) -> Span:
        """Its tokens."""
        return self.start, self.end


class NerPrediction(PredictionRecord):
    """One row of the predictions table: gold and predicted mentions of a post, in tokens."""

    gold: list[GoldMention]
    predicted: list[PredictedMention]

    @property
    def post_id(self) -> str:
        """The id of the post: a post is one example."""
        return self.id

    @property
    def is_right(self) -> bool:
        """Whether the predicted mentions are the gold mentions."""
        return self.list_counted_gold() == self.list_counted_predictions()

    def list_counted_gold(self) -> set[tuple[Any, ...]]:
        """Return the gold mentions."""
        return set(self.gold)

    def list_counted_predictions(self) -> set[tuple[Any, ...]]:
        """Return the predicted mentions without their scores."""
        return {mention.target for mention in self.predicted}

    def list_judged_scores(self) -> list[tuple[float, bool]]:
        """Return score and rightness of each scored mention."""
        gold = set(self.gold)
        scored = [mention for mention in self.predicted if mention.score != NO_SCORE]
        return [(mention.score, mention.target in gold) for mention in scored]

    def pair_labels(self) -> list[tuple[str, str]]:
        """Return gold and predicted type of each span that either side has, by position."""
        gold = {(mention.start, mention.end): mention.label for mention in self.gold}
        predicted = {mention.span: mention.label for mention in self.predicted}
        return [(gold.get(span, NOTHING), predicted.get(span, NOTHING)) for span in sorted(gold | predicted)]

    def match_gold(self) -> list[tuple[PredictedMention, tuple[GoldMention, ...]]]:
        """Return each predicted mention with the gold mentions that share a token with it."""
        matches = []
        for mention in self.predicted:
            touched = [gold for gold in self.gold if gold.start < mention.end and mention.start < gold.end]
            matches.append((mention, tuple(touched)))
        return matches

    def list_changes(self) -> list[Change]:
        """Return a change for each stretch of overlapping mentions in which gold and predicted ones differ."""
        gold, predicted = set(self.gold), {mention.target for mention in self.predicted}
        changes = []
        for group in _group_overlapping(sorted(gold ^ predicted)):
            removed = tuple(mention for mention in group if mention in gold)
            changes.append(Change(removed, tuple(mention for mention in group if mention in predicted)))
        return changes

    def mark_gold(self, post: Post) -> Marking:
        """Return the gold mentions; there is no label for the post as a whole."""
        return Marking(self.gold)

    def mark_predicted(self, post: Post) -> Marking:
        """Return the predicted mentions; there is no label for the post as a whole."""
        return Marking([mention.target for mention in self.predicted])


def _group_overlapping(mentions: Sequence[GoldMention]) -> list[list[GoldMention]]:
    """Return sorted mentions in groups: those that share a token, directly or through another, stand together."""
    groups: list[list[GoldMention]] = []
    end = 0
    for mention in mentions:
        if not groups or mention.start >= end:
            groups.append([])
        groups[-1].append(mention)
        end = max(end, mention.end)
    return groups
