"""What a model found, as rows of the table."""

import pytest

from cotpd.evaluation.predictions import predictions
from cotpd.evaluation.scores import score
from cotpd.student.examples import build_examples
from cotpd.student.heads import Found


def test_entities_keep_their_ends_and_a_rounded_probability(posts):
    examples = build_examples(posts, "ner", {}, {})
    found = [[Found(0, 2, "PER", 0.98765432), Found(3, 4, "LOC", 0.5)], []]
    first, second = predictions(examples, found, split="test", model="student")
    assert first.gold == [[0, 2, "PER"], [3, 4, "ORG"]]
    assert first.predicted == [[0, 2, "PER", 0.9877], [3, 4, "LOC", 0.5]]
    assert (second.id, second.split, second.model, second.predicted) == ("2", "test", "student", [])
    assert score([first, second], "ner").precision == 0.5


def test_a_relation_keeps_its_label_and_probability(posts):
    examples = build_examples(posts, "re", {}, {})
    [row] = predictions(examples, [[Found(0, 0, "None", 0.75)]], split="test", model="baseline")
    assert (row.id, row.gold, row.predicted) == ("1#0", ["r"], ["None", 0.75])
    assert score([row], "re").recall == 0.0


def test_examples_without_a_prediction_are_an_error(posts):
    with pytest.raises(ValueError, match="zip"):
        list(predictions(build_examples(posts, "ner", {}, {}), [[]], split="test", model="student"))
