"""Calibrated scores: probabilities change, predictions do not, and the model keeps its temperature."""

import json
import math
from itertools import chain

import pytest

from cotpd.student import Student, calibration
from cotpd.student.calibration import fit_temperature
from cotpd.student.labels import LabelSet
from cotpd.student.objectives import FineTuning
from cotpd.student.training import train

TYPES = {"ner": ["PER", "LOC", "ORG"], "re": ["lives_in", "None"]}


@pytest.fixture(params=["ner", "re"])
def trained(request, ner_examples, re_examples, small, brief, tmp_path):
    """A model, its examples, and the folder it was saved in."""
    examples = ner_examples if request.param == "ner" else re_examples
    params = brief.model_copy(update={"epochs": 12})
    settings = {"task": request.param, "types": TYPES[request.param], "student": small, "params": params}
    train(examples, examples, objective=FineTuning(), seed=3, out=tmp_path / "m", **settings)
    return Student.from_pretrained(tmp_path / "m", "cpu"), examples, tmp_path / "m"


def test_the_temperature_is_where_the_log_loss_is_least(trained):
    model, examples, _ = trained
    wrong = [_mislabel(example, at) for at, example in enumerate(examples)]
    best = fit_temperature(model, wrong)
    read = calibration._score_batches(model, wrong, 8)

    def compute_loss(temperature):
        return (
            calibration._compute_log_loss(model, read, temperature)
            + (math.log(temperature) / calibration._PRIOR_DEVIATION) ** 2 / 2
        )

    least = compute_loss(best)
    for temperature in (0.3, 0.5 * best, 0.9 * best, 1.1 * best, 2 * best, 7.0):
        if 0.25 <= temperature <= 8.0:
            assert least <= compute_loss(temperature) + 1e-3
    assert best > 1, "a model that errs where it was sure has to become less sure"


def _mislabel(example, at):
    """Every third example has other gold than the model learnt."""
    if at % 3:
        return example
    if example.label is not None:
        return example.model_copy(update={"label": next(label for label in TYPES["re"] if label != example.label)})
    return example.model_copy(update={"entities": ()})


def test_the_fitted_temperature_is_saved_with_the_model(trained):
    model, _, folder = trained

    assert json.loads((folder / "student.json").read_text())["temperature"] == model.temperature


def test_another_temperature_changes_scores_alone(trained, tmp_path):
    model, examples, _ = trained
    sure = list(chain.from_iterable(model.predict_examples(examples)))
    model.temperature = 3.0
    model.save(tmp_path / "warm")

    warm = Student.from_pretrained(tmp_path / "warm", "cpu").predict_examples(examples)

    less_sure = list(chain.from_iterable(warm))
    assert [prediction.target for prediction in less_sure] == [prediction.target for prediction in sure]
    assert sure
    assert all(b.score < a.score for a, b in zip(sure, less_sure, strict=True) if a.score > 0.99)


def test_a_model_of_before_has_a_temperature_of_one(trained, tmp_path):
    *_, folder = trained
    card = json.loads((folder / "student.json").read_text())
    del card["temperature"]
    (folder / "student.json").write_text(json.dumps(card))

    assert Student.from_pretrained(folder, "cpu").temperature == 1.0


def test_without_a_prediction_nothing_is_fitted(small):
    from cotpd.student.persistence import build_model

    model, tokenizer, reads = build_model(small, LabelSet.build("ner", ["PER"]))
    learner = Student(model, tokenizer, small, ("text",), reads, "cpu")
    assert fit_temperature(learner, []) == 1.0
    assert math.isnan(calibration._compute_log_loss(learner, [], 1.0))
