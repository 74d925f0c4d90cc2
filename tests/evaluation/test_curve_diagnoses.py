"""Diagnoses by learning curves and by tables: a made-up run that has the fault, and one that nearly has it."""

import pytest

from cotpd.evaluation.diagnoses import RunEvidence, SetAside, diagnose_run
from cotpd.evaluation.diagnoses.data_rules import compute_wilson_interval
from tests.evaluation.made_up_evidence import build_rows, build_run, list_codes, spoil


def build_curve(scores, losses):
    return [
        {"epoch": number, "loss": loss, "valid.prompt.f1": score}
        for number, (score, loss) in enumerate(zip(scores, losses, strict=True), 1)
    ]


def list_curve_codes(scores, losses=None, model="student", right=None):
    """Return the codes of a run whose F1 on valid is 80 ± 2.5, if no other one is given."""
    losses = losses or [1 / number for number in range(1, len(scores) + 1)]
    row = {"student": "student", "baseline": "baseline", "teacher": "knowledge"}[model]
    rows = {"valid": {row: build_rows(spoil((0, 200)) if right is None else right, split="valid")}}
    return list_codes(RunEvidence(rows=rows, histories={model: build_curve(scores, losses)}))


def test_a_fall_beyond_the_interval_after_the_best_epoch_is_overfitting():
    assert list_curve_codes([70, 80, 78, 76]) == ["overfitting"]
    assert list_curve_codes([70, 80, 79, 78.5]) == []  # within the interval
    assert list_curve_codes([70, 80, 78, 76], losses=[1, 0.5, 0.6, 0.7]) == []  # diverges, and learns nothing


@pytest.mark.parametrize("scores", [[70, 80, 78, 76], [60, 70, 76, 80]])
def test_a_curve_over_very_few_posts_shows_nothing(scores):
    """All 19 are right, so that their interval has no width."""
    assert list_curve_codes(scores, right=[True] * 19) == []
    assert list_curve_codes(scores, right=[True] * 20) != []


def test_a_last_epoch_that_is_plainly_the_best_asks_for_longer_training():
    assert list_curve_codes([60, 70, 76, 80]) == ["still_rising"]
    assert list_curve_codes([60, 79, 79.5, 80]) == []  # within the interval
    assert list_curve_codes([60, 70, 80, 80 - 0.1]) == []  # the last is not the best


@pytest.mark.parametrize(("model", "section"), [("baseline", "baseline"), ("teacher", "teach")])
def test_each_model_is_told_its_own_section_of_the_parameters(model, section):
    row = {"baseline": "baseline", "teacher": "knowledge"}[model]
    rows = {"valid": {row: build_rows(spoil((0, 200)), split="valid")}}
    curve = build_curve([60, 70, 76, 80], [4, 3, 2, 1])

    [diagnosis] = diagnose_run(RunEvidence(rows=rows, histories={model: curve}))

    assert f"{section}.epochs" in diagnosis.remedy


@pytest.mark.parametrize(
    ("step", "count", "is_high"),
    [
        ("validate", 120, True),
        ("validate", 55, False),
        ("prepare", 120, True),
        ("augment", 480, False),
        ("augment", 560, True),
    ],
)
def test_a_step_that_sets_many_rows_aside_is_named_with_its_reason(step, count, is_high):
    run = build_run({}, set_aside=[SetAside(step, count, 1000, "too long")])

    diagnoses = list(diagnose_run(run))

    assert [diagnosis.code for diagnosis in diagnoses] == ["quarantine"] * is_high
    assert all("Most often: too long." in diagnosis.evidence for diagnosis in diagnoses)


@pytest.mark.parametrize(("answered", "is_missing"), [(400, True), (480, False), (900, False)])
def test_a_knowledge_view_without_answers_is_named(answered, is_missing):
    run = build_run({"knowledge": spoil((0, 100))}, answered={"test": (answered, 1000)})

    assert ("missing_answers" in list_codes(run)) == is_missing


def test_the_interval_of_a_share_is_wilsons():
    assert compute_wilson_interval(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)  # R: binom.wilson
    assert compute_wilson_interval(0, 0) == (0.0, 1.0)
