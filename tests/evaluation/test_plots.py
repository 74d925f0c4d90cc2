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


def test_the_numbers_behind_the_plots_are_written(material, histories, tmp_path):
    write_plots(tmp_path, material.metrics, material.predictions, histories, "ner")
    scores = {(row["row"], row["type"]): float(row["f1"]) for row in read_csv(tmp_path / "f1_per_type.csv")}
    assert scores["student", "LOC"] == 0.0
    assert scores["baseline", "LOC"] == 1.0
    confusion = [row for row in read_csv(tmp_path / "confusion_test.csv") if row["row"] == "student"]
    assert {(row["actual"], row["predicted"]) for row in confusion} == {
        ("PER", "PER"),
        ("ORG", "ORG"),
        ("LOC", "(nothing)"),
    }
    missed = [
        row["missed"]
        for row in read_csv(tmp_path / "mistakes.csv")
        if (row["row"], row["type"]) == ("student", "LOC")
    ]
    assert missed == ["1"]
    bins = [row for row in read_csv(tmp_path / "calibration.csv") if row["row"] == "student"]
    assert [(row["split"], row["high"], row["count"], row["score"], row["right"]) for row in bins] == [
        ("test", "0.9", "2", "0.9", "1.0")
    ]
    assert len(read_csv(tmp_path / "curves.csv")) == 9


def test_without_histories_there_are_no_curves(material, tmp_path):
    assert [path.name for path in write_plots(tmp_path, material.metrics, material.predictions, {}, "ner")] == [
        "f1_per_type_test.png",
        "calibration.png",
    ]


def test_a_history_is_flattened_and_words_are_left_out(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps({"loss": {"kl": 0.5}, "valid": {"f1": 0.9}, "best": True, "device": "cpu"}) + "\n")
    assert read_history(path) == [{"epoch": 1, "loss.kl": 0.5, "valid.f1": 0.9}]


def test_a_damaged_history_is_named_with_its_line(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text('{"epoch": 1}\n[1]\n')
    with pytest.raises(DataError, match=r"history.jsonl:2: not a JSON object"):
        read_history(path)
