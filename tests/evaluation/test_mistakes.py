"""Mistakes by cause, and the pairs behind a confusion matrix."""

from collections import Counter

from hypothesis import given

from cotpd.data.records import Prediction
from cotpd.evaluation.mistakes import NOTHING, causes, pairs
from tests.evaluation.test_scores import ner, ner_rows


def predicted(gold, found):
    return [Prediction(id="1", split="test", model="student", gold=gold, predicted=found)]


def test_each_cause_is_told_from_the_others():
    gold = [[0, 1, "PER"], [2, 4, "PER"], [5, 6, "PER"], [7, 8, "PER"]]
    found = [[0, 1, "PER"], [2, 3, "PER"], [5, 6, "LOC"], [9, 10, "ORG"]]
    assert causes(predicted(gold, found)) == {
        "PER": Counter({"correct": 1, "wrong extent": 1, "wrong type": 1, "missed": 1}),
        "ORG": Counter({"spurious": 1}),
    }


def test_pairs_name_what_the_other_side_lacks():
    rows = predicted([[0, 1, "PER"], [2, 3, "LOC"]], [[0, 1, "ORG"], [4, 5, "PER"]])
    assert pairs(rows, "ner") == [("PER", "ORG"), ("LOC", NOTHING), (NOTHING, "PER")]
    assert pairs(predicted(["a"], ["b", 0.4]), "re") == [("a", "b")]


@given(ner_rows)
def test_every_gold_entity_has_one_cause(sides):
    rows = ner(sides)
    found = sum(causes(rows).values(), Counter())
    assert found.total() - found["spurious"] == sum(len(gold) for gold, _ in sides)
