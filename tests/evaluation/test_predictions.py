"""What a model found, as rows of the table."""

import pytest

from cotpd.data.tables import write_table
from cotpd.errors import DataError
from cotpd.evaluation.predictions import build_predictions, read_predictions
from cotpd.evaluation.scores import score
from cotpd.student.examples import build_examples
from cotpd.student.tasks import NerPrediction, PredictedLabel, PredictedMention, RePrediction


def test_entities_keep_their_ends_and_a_rounded_probability(posts):
    examples = build_examples(posts, "ner", {}, {})
    predicted = [[PredictedMention(0, 2, "PER", 0.98765432), PredictedMention(3, 4, "LOC", 0.5)], []]
    first, second = build_predictions(examples, predicted, task="ner", split="test", model="student")

    assert first.gold == [(0, 2, "PER"), (3, 4, "ORG")]
    assert first.predicted == [(0, 2, "PER", 0.9877), (3, 4, "LOC", 0.5)]
    assert (second.id, second.split, second.model, second.predicted) == ("2", "test", "student", [])
    assert score([first, second], "ner").precision == 0.5


def test_a_relation_keeps_its_label_and_probability(posts):
    examples = build_examples(posts, "re", {}, {})
    [row] = build_predictions(
        examples, [[PredictedLabel("None", 0.75)]], task="re", split="test", model="baseline"
    )

    assert (row.id, row.gold, row.predicted) == ("1#0", ("r",), ("None", 0.75))
    assert score([row], "re").recall == 0.0


def test_examples_without_a_prediction_are_an_error(posts):
    examples = build_examples(posts, "ner", {}, {})

    rows = build_predictions(examples, [[]], task="ner", split="test", model="student")

    with pytest.raises(ValueError, match="zip"):
        list(rows)


NER_LINE = '{"id":"1","split":"test","model":"student","gold":[[0,2,"PER"]],"predicted":[[0,2,"PER",0.9877]]}'
RE_LINE = '{"id":"1#0","split":"test","model":"student","gold":["r"],"predicted":["None",0.75]}'
EMPTY_LINE = '{"id":"2","split":"test","model":"student","gold":[],"predicted":[]}'


@pytest.mark.parametrize(
    ("line", "kind"), [(NER_LINE, NerPrediction), (RE_LINE, RePrediction), (EMPTY_LINE, NerPrediction)]
)
def test_a_line_is_read_as_its_task_and_written_as_the_same_bytes(line, kind, tmp_path):
    (tmp_path / "predictions.jsonl").write_text(line + "\n")

    rows = read_predictions(tmp_path / "predictions.jsonl")

    assert [type(row) for row in rows] == [kind]
    write_table(tmp_path / "again.jsonl", rows)
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "predictions.jsonl").read_bytes()


@pytest.mark.parametrize("gold", ['["r", "s"]', "[[0]]", '[[0, 2, "PER"], "r"]', '"r"', "3", "null", "[[2, 1]]"])
def test_a_line_of_no_task_is_refused_with_its_number(gold, tmp_path):
    (tmp_path / "predictions.jsonl").write_text(NER_LINE + "\n" + NER_LINE.replace('[[0,2,"PER"]]', gold) + "\n")

    with pytest.raises(DataError, match=r"predictions\.jsonl:2: "):
        read_predictions(tmp_path / "predictions.jsonl")


def test_a_relation_among_named_entities_cannot_be_scored():
    rows = [NerPrediction.model_validate_json(NER_LINE), RePrediction.model_validate_json(RE_LINE)]

    for task in ("ner", "re"):
        with pytest.raises(DataError, match="one task at a time"):
            score(rows, task)
