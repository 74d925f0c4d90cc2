"""The three rows: grouping, the metrics file, and the tables made of it."""

import json
from itertools import chain

import pytest

from cotpd.errors import DataError
from cotpd.evaluation.results_table import WORTH, build_rich_table, compute_metrics
from cotpd.evaluation.scores import LABEL_REPAIR
from cotpd.student.tasks import NerPrediction


def make_row(key, model, predicted, split="test", gold="PER"):
    return NerPrediction(id=key, split=split, model=model, gold=[[0, 1, gold]], predicted=[[0, 1, predicted, 0.9]])


def make_three_rows():
    return [
        *(make_row(str(n), "knowledge", "PER") for n in range(4)),
        *(make_row(str(n), "baseline", "LOC" if n else "PER") for n in range(4)),
        *(make_row(str(n), "student", "LOC" if n == 3 else "PER") for n in range(4)),
        *(make_row(str(n), "baseline", "PER", split="valid") for n in range(2)),
        *(make_row(str(n), "student", "PER", split="valid") for n in range(2)),
    ]


def test_every_split_has_its_rows_in_order_and_the_gain():
    metrics = compute_metrics(make_three_rows(), "ner", seed=1, resamples=50)

    assert list(metrics) == ["valid", "test"]
    assert list(metrics["test"]) == ["baseline", "student", "knowledge", "gain"]
    assert metrics["test"]["gain"]["f1"] == pytest.approx(0.75 - 0.25)


def test_a_row_has_the_scores_of_each_type_and_the_calibration_error():
    metrics = compute_metrics(make_three_rows(), "ner", seed=1, resamples=50)

    scores = {"precision": 1, "recall": 0.75, "f1": 0.857143, "support": 4}
    assert metrics["test"]["student"]["per_type"]["PER"] == scores
    assert metrics["test"]["student"]["calibration_error"] == pytest.approx(0.9 - 0.75)


def test_without_a_baseline_there_is_no_gain():
    metrics = compute_metrics([make_row("1", "student", "PER")], "ner", seed=1)

    assert "gain" not in metrics["test"]


def list_leaves(value):
    """Return every value of nested dictionaries that is none itself."""
    if not isinstance(value, dict):
        return [value]
    return list(chain.from_iterable(list_leaves(member) for member in value.values()))


def test_the_metrics_are_json_with_nothing_but_numbers_and_the_label_repair_at_the_leaves():
    metrics = compute_metrics(make_three_rows(), "ner", seed=1, resamples=50)

    assert json.loads(json.dumps(metrics)) == metrics
    texts = [leaf for leaf in list_leaves(metrics) if not isinstance(leaf, int | float)]
    assert set(texts) == {LABEL_REPAIR}


def test_an_unknown_row_is_refused():
    with pytest.raises(DataError, match=r"'teacher'.*\n.*baseline, control, student, knowledge"):
        compute_metrics([make_row("1", "teacher", "PER")], "ner", seed=1)


def list_cells(metrics):
    """The table's rows as text."""
    return list(zip(*(list(column.cells) for column in build_rich_table(metrics, "ner").columns), strict=True))


def test_tables_keep_the_order_of_splits_after_a_round_through_sorted_json():
    metrics = compute_metrics(make_three_rows(), "ner", seed=1, resamples=50)

    assert list_cells(json.loads(json.dumps(metrics, sort_keys=True))) == list_cells(metrics)


def test_tables_show_percent_and_the_gain_beside_the_student():
    metrics = compute_metrics(make_three_rows(), "ner", seed=1, resamples=50)

    rows = list_cells(metrics)

    [student] = [row for row in rows if row[:2] == ("test", "student (text alone)")]
    assert student[3] == "75.00"
    assert student[6] == "+50.00"
    assert len(rows) == 5


def test_a_control_adds_its_row_and_the_worth_of_the_knowledge_and_changes_no_other_figure():
    control = [make_row(str(n), "control", "LOC" if n > 1 else "PER") for n in range(4)]
    without = compute_metrics(make_three_rows(), "ner", seed=1, resamples=50)

    metrics = compute_metrics([*make_three_rows(), *control], "ner", seed=1, resamples=50)

    assert list(metrics["test"]) == ["baseline", "control", "student", "knowledge", "gain", "knowledge_gain"]
    assert metrics["test"]["knowledge_gain"]["f1"] == pytest.approx(0.75 - 0.5)
    assert {key: metrics["test"][key] for key in without["test"]} == without["test"]
    assert list_cells(metrics)[-1][1:7] == (WORTH, "", "", "", "", "+25.00")


def test_the_language_model_alone_adds_its_row_and_what_the_student_gains_over_it():
    alone = [make_row(str(n), "llm", "LOC" if n else "PER") for n in range(4)]
    without = compute_metrics(make_three_rows(), "ner", seed=1, resamples=50)

    metrics = compute_metrics([*make_three_rows(), *alone], "ner", seed=1, resamples=50)

    assert metrics["test"]["llm_gain"]["f1"] == pytest.approx(0.75 - 0.25)
    assert {key: metrics["test"][key] for key in without["test"]} == without["test"]
    rows = [row[1] for row in list_cells(metrics)]
    assert "LLM alone, few-shot" in rows
    assert list_cells(metrics)[-1][1:7] == ("student over LLM, few-shot", "", "", "", "", "+50.00")
