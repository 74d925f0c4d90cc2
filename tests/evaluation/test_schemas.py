"""The four schemas against nervaluate on the same predictions, and by hand."""

import json

import pytest
from hypothesis import given, settings
from nervaluate.evaluator import Evaluator

from cotpd.evaluation.schemas import SCHEMAS, compute_schemas, count_schema
from cotpd.evaluation.scores import score
from cotpd.student.tasks import RePrediction
from tests.evaluation.mention_rows import TYPES, make_mentions, ner_rows

THEIR_NAMES = {"strict": "strict", "exact": "exact", "partial": "partial", "type": "ent_type"}


def score_by_nervaluate(pairs):
    """Return nervaluate's results by the name of its schema."""
    gold, predicted = (list(map(list_entities, sides)) for sides in zip(*pairs, strict=True))
    return Evaluator(gold, predicted, tags=list(TYPES), loader="dict").evaluate()["overall"]


def list_entities(spans):
    return [{"label": kind, "start": start, "end": end - 1} for start, end, kind in spans]


@settings(deadline=None)
@given(ner_rows)
def test_each_schema_scores_as_nervaluate_does(pairs):
    expected = score_by_nervaluate(pairs)

    rows = {row.schema_: row for row in compute_schemas(make_mentions(pairs))}

    for schema in SCHEMAS:
        figures = (rows[schema].precision, rows[schema].recall, rows[schema].f1)
        result = expected[THEIR_NAMES[schema]]
        expected_figures = [100 * value for value in (result.precision, result.recall, result.f1)]
        assert figures == pytest.approx(expected_figures, abs=0.006)


@settings(deadline=None)
@given(ner_rows)
def test_each_schema_counts_as_nervaluate_does(pairs):
    expected = score_by_nervaluate(pairs)

    counts = {schema: count_schema(make_mentions(pairs), schema) for schema in SCHEMAS}

    for schema, outcomes in counts.items():
        result = expected[THEIR_NAMES[schema]]
        assert outcomes == (result.correct, result.partial, result.incorrect, result.spurious, result.missed)


@settings(deadline=None)
@given(ner_rows)
def test_the_strict_schema_is_the_f1_of_every_other_table(pairs):
    rows = make_mentions(pairs)

    strict = count_schema(rows, "strict").compute_scores()

    scores = score(rows, "ner")
    assert strict == pytest.approx((scores.precision, scores.recall, scores.f1))


@pytest.mark.parametrize(
    ("schema", "f1"),
    [("strict", 0.25), ("exact", 0.5), ("partial", 0.625), ("type", 0.5)],
)
def test_wrong_ends_and_wrong_types_count_as_the_schema_says(schema, f1):
    gold = [[0, 1, "PER"], [2, 3, "LOC"], [4, 6, "LOC"], [8, 9, "PER"]]
    predicted = [[0, 1, "PER"], [2, 3, "PER"], [4, 5, "LOC"], [10, 11, "PER"]]

    counts = count_schema(make_mentions([(gold, predicted)]), schema)

    assert counts.compute_scores()[2] == f1


def test_a_row_is_written_under_the_name_schema():
    rows = [json.loads(row.model_dump_json(by_alias=True)) for row in compute_schemas(make_mentions([([], [])]))]

    assert rows[0] == {
        "split": "test",
        "row": "student",
        "schema": "strict",
        "precision": 0.0,
        "recall": 0.0,
        "f1": 0.0,
    }


def test_relations_have_no_schemas():
    row = RePrediction(id="1#0", split="test", model="student", gold=["a"], predicted=["a"])

    assert list(compute_schemas([row])) == []
