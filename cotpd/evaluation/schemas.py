"""Mentions scored in four ways, as MUC-5 and SemEval-2013 task 9 had it: strict, exact, partial and type.

Trade-off: a mention is matched greedily, predictions in their order, and not by the best assignment. This is what
nervaluate does, with which these figures agree; mentions of a post touch so few others that it hardly matters.

- strict: ends and type must be right. This is the F1 of every other table.
- exact: the ends must be right, whatever the type.
- partial: the type is not looked at; wrong ends count half if the two mentions share a token.
- type: the type must be right and the two mentions share a token.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

from pydantic import Field

from cotpd.data.records import Record
from cotpd.evaluation.results_table import group_predictions
from cotpd.student.tasks import GoldMention, NerPrediction, Prediction

SCHEMAS_FILE = "schemas.json"  # in the folder of an evaluation
Schema = Literal["strict", "exact", "partial", "type"]
SCHEMAS: tuple[Schema, ...] = get_args(Schema)


class SchemaRow(Record):
    """The scores of one row of a split in one schema, in percent."""

    split: str
    row: str
    schema_: Schema = Field(alias="schema")
    precision: float
    recall: float
    f1: float


class Outcomes(NamedTuple):
    """The numbers of mentions by outcome; ``half`` were found with wrong ends, where these count half."""

    correct: int = 0
    half: int = 0
    incorrect: int = 0
    spurious: int = 0
    missed: int = 0

    def compute_scores(self) -> tuple[float, float, float]:
        """Return precision, recall and F1; 0 where a ratio has nothing to divide by."""
        matched = self.correct + self.half + self.incorrect
        hits, predicted, gold = self.correct + self.half / 2, matched + self.spurious, matched + self.missed
        f1 = 2 * hits / (predicted + gold) if predicted + gold else 0.0
        return hits / predicted if predicted else 0.0, hits / gold if gold else 0.0, f1


_MATCHES: dict[Schema, Callable[[GoldMention, GoldMention], bool]] = {
    "strict": lambda gold, predicted: gold == predicted,
    "exact": lambda gold, predicted: gold[:2] == predicted[:2],
    "partial": lambda gold, predicted: gold[:2] == predicted[:2],
    "type": lambda gold, predicted: gold.label == predicted.label,
}


def compute_schemas(predictions: Iterable[Prediction]) -> Iterator[SchemaRow]:
    """Yield the scores of each row of each split in each schema; nothing for predictions without mentions.

    Raises:
        DataError: A prediction names an unknown row or split.
    """
    for split, rows in group_predictions(predictions).items():
        for name, members in rows.items():
            posts = [row for row in members if isinstance(row, NerPrediction)]
            for schema in SCHEMAS if posts else ():
                scores = [round(100 * figure, 2) for figure in count_schema(posts, schema).compute_scores()]
                names = ("split", "row", "schema", "precision", "recall", "f1")
                figures = zip(names, (split, name, schema, *scores), strict=True)
                yield SchemaRow.model_validate(dict(figures))


def count_schema(posts: Sequence[NerPrediction], schema: Schema) -> Outcomes:
    """Return the outcomes of one model's predictions."""
    counts = [_count_post(row, schema) for row in posts]
    return Outcomes(*map(sum, zip(*counts, strict=True))) if counts else Outcomes()


def _count_post(row: NerPrediction, schema: Schema) -> Outcomes:
    """Return the outcomes of one post. A prediction takes a gold mention that no earlier one has taken."""
    free, correct, wrong, spurious = list(row.gold), 0, 0, 0
    for mention in (prediction.target for prediction in row.predicted):
        touched = [target for target in free if target.start < mention.end and mention.start < target.end]
        matches = [target for target in touched if _MATCHES[schema](target, mention)]
        if not touched:
            spurious += 1
            continue
        distances = [_measure_distance(target, mention) for target in matches]
        free.remove(matches[distances.index(min(distances))] if matches else touched[0])
        correct += bool(matches)
        wrong += not matches
    halves, incorrect = (wrong, 0) if schema == "partial" else (0, wrong)
    return Outcomes(correct, halves, incorrect, spurious, len(free))


def _measure_distance(left: GoldMention, right: GoldMention) -> int:
    """Return how far the ends of two mentions lie apart, in tokens."""
    return abs(left.start - right.start) + abs(left.end - right.end)
