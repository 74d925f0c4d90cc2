"""Mistakes by cause, and the pairs behind a confusion matrix."""

from collections import Counter

from hypothesis import given

from cotpd.evaluation.mistakes import count_causes, pair_labels
from cotpd.student.tasks import NerPrediction, RePrediction
from cotpd.student.tasks.mention_predictions import NOTHING
from tests.evaluation.mention_rows import make_mentions, ner_rows


def make_predictions(gold, mentions):
    return [NerPrediction(id="1", split="test", model="student", gold=gold, predicted=mentions)]


def test_each_cause_is_told_from_the_others():
    gold = [[0, 1, "PER"], [2, 4, "PER"], [5, 6, "PER"], [7, 8, "PER"]]
    mentions = [[0, 1, "PER"], [2, 3, "PER"], [5, 6, "LOC"], [9, 10, "ORG"]]

    assert count_causes(make_predictions(gold, mentions)) == {
        "PER": Counter({"correct": 1, "wrong extent": 1, "wrong type": 1, "missed": 1}),
        "ORG": Counter({"spurious": 1}),
    }


def test_pairs_name_what_the_other_side_lacks():
    rows = make_predictions([[0, 1, "PER"], [2, 3, "LOC"]], [[0, 1, "ORG"], [4, 5, "PER"]])

    assert pair_labels(rows) == [("PER", "ORG"), ("LOC", NOTHING), (NOTHING, "PER")]


def test_a_relation_is_one_pair_of_labels():
    relation = RePrediction(id="1#0", split="test", model="student", gold=["a"], predicted=["b", 0.4])

    assert pair_labels([relation]) == [("a", "b")]


@given(ner_rows)
def test_every_gold_entity_has_one_cause(sides):
    rows = make_mentions(sides)

    causes = sum(count_causes(rows).values(), Counter())

    assert causes.total() - causes["spurious"] == sum(len(gold) for gold, _ in sides)
