"""Plots: the same bytes for the same inputs, the numbers beside them, and histories as training wrote them."""

import csv
import json

import pytest

from cotpd.errors import DataError
from cotpd.evaluation.plots import read_history, write_plots


def read_csv(path):
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def histories():
    epochs = [{"epoch": n, "loss": 1 / n, "valid.f1": 0.1 * n, "valid.per_type.PER.f1": 0.2} for n in (1, 2, 3)]
    return {"baseline": [], "student": epochs}


def test_the_same_inputs_give_the_same_bytes(material, histories, tmp_path):
    inputs = (material.metrics, material.predictions, histories, "ner")

    for name in ("one", "two"):
        write_plots(tmp_path / name, *inputs)

    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [
        "calibration.csv",
        "calibration.png",
        "confusion_test.csv",
        "curves.csv",
        "curves.png",
        "f1_per_type.csv",
        "f1_per_type_test.png",
        "mistakes.csv",
    ]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_pictures_hold_no_date_and_no_software(material, histories, tmp_path):
    for path in write_plots(tmp_path, material.metrics, material.predictions, histories, "ner"):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert b"tEXt" not in path.read_bytes()


@pytest.fixture
def tables(material, histories, tmp_path):
    """Read a table of numbers that was written beside the plots; of those with rows, the student's."""
    write_plots(tmp_path, material.metrics, material.predictions, histories, "ner")
    return lambda name: [row for row in read_csv(tmp_path / name) if row.get("row", "student") == "student"]


def test_scores_of_each_type_are_written(tables):
    f1 = {row["type"]: float(row["f1"]) for row in tables("f1_per_type.csv")}

    assert f1 == {"PER": 1.0, "ORG": 1.0, "LOC": 0.0}


def test_pairs_of_gold_and_predicted_type_are_written(tables):
    pairs = {(row["actual"], row["predicted"]) for row in tables("confusion_test.csv")}

    assert pairs == {("PER", "PER"), ("ORG", "ORG"), ("LOC", "(nothing)")}


def test_mistakes_are_written_by_cause(tables):
    missed = {row["type"]: row["missed"] for row in tables("mistakes.csv")}

    assert missed["LOC"] == "1"


def test_the_bins_of_the_calibration_are_written(tables):
    [row] = tables("calibration.csv")

    assert (row["split"], row["high"], row["count"], row["score"], row["right"]) == (
        "test",
        "0.9",
        "2",
        "0.9",
        "1.0",
    )


def test_the_points_of_the_curves_are_written(tables):
    assert len(tables("curves.csv")) == 9


def test_without_histories_there_are_no_curves(material, tmp_path):
    paths = write_plots(tmp_path, material.metrics, material.predictions, {}, "ner")

    assert [path.name for path in paths] == ["f1_per_type_test.png", "calibration.png"]


def test_a_history_is_flattened_and_words_are_left_out(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps({"loss": {"kl": 0.5}, "valid": {"f1": 0.9}, "best": True, "device": "cpu"}) + "\n")

    assert read_history(path) == [{"epoch": 1, "loss.kl": 0.5, "valid.f1": 0.9}]


def test_a_damaged_history_is_named_with_its_line(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 1}\n[1]\n')

    with pytest.raises(DataError, match=r"history.jsonl:2: not a JSON object"):
        read_history(path)
