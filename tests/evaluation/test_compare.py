"""The three rows: grouping, the metrics file, and the tables made of it."""

import json

import pytest

from cotpd.data.records import Prediction
from cotpd.errors import DataError
from cotpd.evaluation.compare import compare, markdown_table, rich_table


def row(key, model, predicted, split="test", gold="PER"):
    return Prediction(id=key, split=split, model=model, gold=[[0, 1, gold]], predicted=[[0, 1, predicted, 0.9]])


def three_rows():
    return [
        *(row(str(n), "knowledge", "PER") for n in range(4)),
        *(row(str(n), "baseline", "LOC" if n else "PER") for n in range(4)),
        *(row(str(n), "student", "LOC" if n == 3 else "PER") for n in range(4)),
        *(row(str(n), model, "PER", split="valid") for model in ("baseline", "student") for n in range(2)),
    ]


def test_every_split_has_its_rows_in_order_and_the_gain_where_it_can_be_had():
    metrics = compare(three_rows(), "ner", seed=1, resamples=50)
    assert list(metrics) == ["valid", "test"]
    assert list(metrics["test"]) == ["baseline", "student", "knowledge", "gain"]
    assert metrics["test"]["gain"]["f1"] == pytest.approx(0.75 - 0.25)
    assert metrics["test"]["student"]["per_type"]["PER"] == {
        "precision": 1,
        "recall": 0.75,
        "f1": 0.857143,
        "support": 4,
    }
    assert metrics["test"]["student"]["calibration_error"] == pytest.approx(0.9 - 0.75)
    assert "gain" not in compare([row("1", "student", "PER")], "ner", seed=1)["test"]


def test_the_metrics_are_json_with_nothing_but_numbers_at_the_leaves():
    def leaves(value):
        return [leaf for one in value.values() for leaf in leaves(one)] if isinstance(value, dict) else [value]

    metrics = compare(three_rows(), "ner", seed=1, resamples=50)
    assert json.loads(json.dumps(metrics)) == metrics
    assert all(isinstance(leaf, int | float) for leaf in leaves(metrics))


def test_an_unknown_row_is_refused():
    with pytest.raises(DataError, match=r"'teacher'.*\n.*baseline, student, knowledge"):
        compare([row("1", "teacher", "PER")], "ner", seed=1)


def test_tables_keep_the_order_of_splits_after_a_round_through_sorted_json():
    metrics = compare(three_rows(), "ner", seed=1, resamples=50)
    assert markdown_table(json.loads(json.dumps(metrics, sort_keys=True))) == markdown_table(metrics)


def test_tables_show_percent_and_the_gain_beside_the_student():
    metrics = compare(three_rows(), "ner", seed=1, resamples=50)
    lines = markdown_table(metrics).splitlines()
    assert lines[0].startswith("| split | row | precision | recall | F1")
    student = next(line for line in lines if "| test | student" in line)
    assert "75.00" in student
    assert "+50.00" in student
    assert len(lines) == 2 + 5 == rich_table(metrics).row_count + 2
