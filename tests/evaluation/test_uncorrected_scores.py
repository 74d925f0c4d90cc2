"""Scores on the labels that a data set came with beside those on corrected ones."""

from cotpd.evaluation.uncorrected_scores import compare_label_versions, describe_versions
from cotpd.student.tasks import (
    ClassPrediction,
    GoldLabel,
    GoldMention,
    NerPrediction,
    PredictedLabel,
    PredictedMention,
    RePrediction,
)
from tests.builders import build_post

CORRECTED = [build_post("[Ruth](PER) sings", id="1"), build_post("[Rome](LOC) rains", id="2")]
ORIGINAL = [build_post("[Ruth](ORG) sings", id="1")]


def predict(post, label: str) -> NerPrediction:
    gold = [GoldMention(entity.start, entity.end, str(entity.type)) for entity in post.entities]
    predicted = [PredictedMention(0, 1, label, 0.9)]
    return NerPrediction(id=post.id, split="test", model="student", gold=gold, predicted=predicted)


def test_a_split_with_corrected_labels_has_scores_on_both_versions() -> None:
    rows = [predict(CORRECTED[0], "PER"), predict(CORRECTED[1], "LOC")]

    versions = compare_label_versions(rows, {"test": CORRECTED}, {"test": ORIGINAL}, "ner")

    assert (versions["test"]["posts"], versions["test"]["left_out"]) == (1, 0)
    assert versions["test"]["before"]["student"]["f1"] == 0.5
    assert versions["test"]["after"]["student"]["f1"] == 1.0
    assert "student 50.00 -> 100.00" in describe_versions(versions)[0]


def test_a_split_without_corrected_labels_has_no_second_version() -> None:
    rows = [predict(CORRECTED[1], "LOC")]

    assert compare_label_versions(rows, {"test": CORRECTED}, {"test": []}, "ner") == {}


def test_a_relation_that_only_one_version_has_is_left_out_of_both() -> None:
    text = "[Ada](PER) [Bo](PER)"
    corrected = build_post(text, id="1", relations=[(0, 1, "peer")])
    original = build_post(text, id="1", relations=[(0, 1, "None"), (1, 0, "None")])
    row = RePrediction(
        id="1#0",
        split="test",
        model="student",
        gold=GoldLabel("peer"),
        predicted=PredictedLabel("peer", 0.9),
    )

    versions = compare_label_versions([row], {"test": [corrected]}, {"test": [original]}, "re")

    assert versions["test"]["left_out"] == 1
    assert versions["test"]["before"]["student"]["accuracy"] == 0.0
    assert versions["test"]["after"]["student"]["accuracy"] == 1.0


def test_a_post_that_had_no_label_is_left_out_of_both() -> None:
    corrected = build_post("Ruth sings", id="1").model_copy(update={"label": "positive"})
    original = corrected.model_copy(update={"label": None})
    row = ClassPrediction(
        id="1",
        split="test",
        model="student",
        task="sentiment",
        gold=GoldLabel("positive"),
        predicted=PredictedLabel("positive", 0.9),
    )

    versions = compare_label_versions([row], {"test": [corrected]}, {"test": [original]}, "sentiment")

    assert versions["test"]["left_out"] == 1
