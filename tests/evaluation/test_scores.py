"""Scores against brute force over sets, and against seqeval's and MNRE's conventions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cotpd.data.records import NO_RELATION
from cotpd.errors import DataError
from cotpd.evaluation.scores import count_outcomes, score
from cotpd.student.tasks import RePrediction
from tests.evaluation.mention_rows import make_mentions, ner_rows

LABELS = [NO_RELATION, "/per/loc/birth", "/per/org/member"]


re_rows = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=20)


def make_relations(pairs):
    return [
        RePrediction(id=f"{n}#0", split="test", model="student", gold=[gold], predicted=[predicted, 0.5])
        for n, (gold, predicted) in enumerate(pairs)
    ]


def compute_by_definition(gold, predicted):
    """Precision, recall and F1 of two sets, from their definitions."""
    hits = len(gold & predicted)
    precision = hits / len(predicted) if predicted else 0.0
    recall = hits / len(gold) if gold else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def collect_spans(side):
    """Return the spans of all posts as one set, each with the index of its post."""
    spans = set()
    for number, post_spans in enumerate(side):
        spans |= {(number, *span) for span in post_spans}
    return spans


@settings(deadline=None)
@given(ner_rows)
def test_entity_scores_are_those_of_sets_of_spans(pairs):
    gold, predicted = (collect_spans(side) for side in zip(*pairs, strict=True))

    scores = score(make_mentions(pairs), "ner")

    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(compute_by_definition(gold, predicted))
    assert scores.support == len(gold)
    for kind, type_score in scores.per_type.items():
        part = compute_by_definition({g for g in gold if g[3] == kind}, {p for p in predicted if p[3] == kind})
        assert (type_score.precision, type_score.recall, type_score.f1) == pytest.approx(part)

    kinds = {span[3] for span in gold | predicted}

    assert set(scores.per_type) == kinds
    if kinds:
        assert scores.macro_f1 == pytest.approx(
            sum(type_score.f1 for type_score in scores.per_type.values()) / len(kinds)
        )


@settings(deadline=None)
@given(re_rows)
def test_relation_scores_leave_none_out(pairs):
    gold = {(n, label) for n, (label, _) in enumerate(pairs) if label != NO_RELATION}
    predicted = {(n, label) for n, (_, label) in enumerate(pairs) if label != NO_RELATION}

    scores = score(make_relations(pairs), "re")

    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(compute_by_definition(gold, predicted))
    assert NO_RELATION not in scores.per_type
    assert scores.accuracy == pytest.approx(sum(g == p for g, p in pairs) / len(pairs))


@settings(deadline=None)
@given(
    st.one_of(
        ner_rows.map(make_mentions).map(lambda rows: (rows, "ner")),
        re_rows.map(make_relations).map(lambda r: (r, "re")),
    )
)
def test_counts_of_examples_add_up_to_the_micro_scores(case):
    rows, task = case
    hits, spurious, missed = count_outcomes(rows).sum(axis=0)

    scores = score(rows, task)

    assert scores.precision == pytest.approx(hits / (hits + spurious) if hits + spurious else 0.0)
    assert scores.recall == pytest.approx(hits / (hits + missed) if hits + missed else 0.0)


def test_probabilities_beside_spans_are_ignored():
    rows = make_mentions([([[0, 1, "PER"]], [[0, 1, "PER", 0.3]])])

    assert score(rows, "ner").f1 == 1.0


def test_adjacent_entities_of_one_type_stay_two():
    rows = make_mentions([([[0, 1, "PER"], [1, 2, "PER"]], [[0, 2, "PER"]])])

    scores = score(rows, "ner")

    assert (scores.support, scores.precision, scores.recall) == (2, 0.0, 0.0)


def test_no_posts_and_posts_without_entities_score_zero_without_a_warning(recwarn):
    assert score([], "ner").f1 == 0.0
    assert score(make_mentions([([], [])]), "ner").accuracy == 1.0
    assert score([], "re").f1 == 0.0
    assert not recwarn


def test_overlapping_spans_are_refused_by_post():
    with pytest.raises(DataError, match=r"post 0: .* 1 to 3 overlaps"):
        score(make_mentions([([[0, 2, "PER"], [1, 3, "LOC"]], [])]), "ner")


def test_predicting_none_costs_recall_but_not_precision():
    scores = score(make_relations([("a", "a"), ("b", NO_RELATION), (NO_RELATION, NO_RELATION)]), "re")

    assert (scores.precision, scores.recall) == (1.0, 0.5)
