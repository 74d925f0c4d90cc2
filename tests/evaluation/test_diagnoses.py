"""Each diagnosis by a made-up run that has it, and by one that nearly has it."""

import re
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.evaluation.diagnoses import (
    DIAGNOSES_FILE,
    Diagnosis,
    Gain,
    RunEvidence,
    SetAside,
    detect_gain_faults,
    detect_open_questions,
    diagnose_run,
)
from cotpd.evaluation.json_rows import read_rows, write_rows
from cotpd.student.tasks import RePrediction
from tests.evaluation.made_up_evidence import build_rows, build_run, list_codes, spoil

PAGE = Path(__file__).parents[2] / "docs" / "diagnoses.md"


def test_a_student_far_below_the_knowledge_view_lacks_alignment():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((0, 180)), "knowledge": spoil((0, 100))})

    [diagnosis] = [diagnosis for diagnosis in diagnose_run(run) if diagnosis.code == "alignment"]

    assert "knowledge over student: +8.00 points of F1 on test (95 % interval +6.4" in diagnosis.evidence
    assert "brings home 20 %" in diagnosis.evidence
    assert "distil.alpha" in diagnosis.remedy


def test_a_student_that_may_be_within_a_point_of_the_knowledge_view_does_not():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((0, 115)), "knowledge": spoil((0, 100))})

    assert "alignment" not in list_codes(run)  # a gap of 1.5 points, of which 0.8 are certain


def test_a_student_worse_than_the_baseline_over_fits_its_generator():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((0, 220))})

    [diagnosis] = [d for d in diagnose_run(run) if d.code == "student_below_baseline"]

    assert "-2.00 points of F1 on test" in diagnosis.evidence
    assert "student.prompt_length" in diagnosis.remedy


def test_a_student_worse_than_the_baseline_is_told_whether_its_source_has_anything_to_give():
    rows = {"baseline": spoil((0, 200)), "student": spoil((0, 220))}

    [poor] = [
        d
        for d in diagnose_run(build_run({**rows, "knowledge": spoil((0, 205))}))
        if d.code == "student_below_baseline"
    ]
    [rich] = [
        d
        for d in diagnose_run(build_run({**rows, "knowledge": spoil((0, 150))}))
        if d.code == "student_below_baseline"
    ]

    assert "Its source has nothing to give either: knowledge over baseline: -0.50" in poor.evidence
    assert "ask.prompts" in poor.remedy
    assert "nothing to give" not in rich.evidence
    assert "ask.prompts" not in rich.remedy


def test_a_loss_that_cannot_be_told_from_a_gain_asks_for_other_seeds_before_more_labels():
    loss, gain = (
        Gain("student", "baseline", "test", value, value - 0.13, value + 0.13, 52) for value in (-0.11, 0.02)
    )

    [of_loss], [of_gain] = (
        list(detect_open_questions([each], seeds_remedy="train two more seeds")) for each in (loss, gain)
    )

    assert "which may be this seed's alone: train two more seeds. Label" in of_loss.remedy
    assert "seed" not in of_gain.remedy


def test_a_run_with_a_loss_that_may_be_luck_says_how_to_train_other_seeds():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((150, 365))})

    [finding] = [d for d in diagnose_run(run) if d.code == "too_few_posts"]

    assert "train two more seeds (dvc exp run -S seed=1, ...), and `cotpd compare` says" in finding.remedy


def test_without_a_generator_the_teachers_are_to_blame():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((0, 220))}, has_generator=False)

    [diagnosis] = [d for d in diagnose_run(run) if d.code == "student_below_baseline"]

    assert "prompt_length" not in diagnosis.remedy
    assert "distil.alpha" in diagnosis.remedy


def test_a_student_that_is_worse_by_luck_is_not_called_worse():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((2, 200), (300, 305))})

    codes = list_codes(run)

    assert "student_below_baseline" not in codes
    assert "no_gain" in codes  # three posts of a thousand: a gain of one point is excluded


def test_a_small_gain_that_is_certain_is_no_failure():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((6, 200))})

    assert "no_gain" not in list_codes(run)


def test_a_knowledge_view_no_better_than_text_has_useless_answers():
    run = build_run(
        {"baseline": spoil((0, 200)), "student": spoil((0, 150)), "knowledge": spoil((2, 200), (300, 302))}
    )

    [diagnosis] = [d for d in diagnose_run(run) if d.code == "useless_knowledge"]

    assert "a gain of one point is excluded" in diagnosis.evidence


@pytest.mark.parametrize("knowledge", [spoil((8, 200)), spoil((20, 200), (300, 320))])
def test_answers_that_help_a_little_or_may_help_are_not_called_useless(knowledge):
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((0, 150)), "knowledge": knowledge})

    assert "useless_knowledge" not in list_codes(run)


def test_a_student_no_better_than_the_control_has_lost_the_knowledge():
    rows = {"baseline": spoil((0, 200)), "control": spoil((0, 150)), "student": spoil((2, 150), (300, 302))}

    [diagnosis] = [d for d in diagnose_run(build_run(rows)) if d.code == "lost_knowledge"]

    assert "student over control: +0.00" in diagnosis.evidence
    assert "student over baseline: +5.00" in diagnosis.evidence  # distillation itself


def test_a_student_somewhat_better_than_the_control_has_not():
    rows = {"baseline": spoil((0, 200)), "control": spoil((0, 150)), "student": spoil((8, 150))}

    assert "lost_knowledge" not in list_codes(build_run(rows))


def test_an_interval_that_holds_both_none_and_a_point_takes_more_posts():
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((30, 200), (300, 326))})

    [diagnosis] = [d for d in diagnose_run(run) if d.code == "too_few_posts"]

    [needed] = re.findall(r"About ([\d,]+) posts", diagnosis.evidence)
    assert 3000 < int(needed.replace(",", "")) < 6000


def test_as_many_posts_as_are_needed_are_enough():
    gain = Gain("student", "baseline", "test", 0.004, -0.010, 0.018, 1000)

    interval = scale(0.01, 0.014, gain.needed_posts / 1000)
    enough = Gain("student", "baseline", "test", 0.01, *interval, gain.needed_posts)

    assert [d.code for d in detect_open_questions([gain])] == ["too_few_posts"]
    assert list(detect_open_questions([enough])) == []


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-0.3, -0.1), (0.1, 0.3)])
@pytest.mark.parametrize("posts", [1, 19])
def test_very_few_posts_show_nothing_however_narrow_the_interval(low, high, posts):
    pairs = (("student", "baseline"), ("knowledge", "baseline"), ("student", "control"), ("knowledge", "student"))
    gains = [Gain(*pair, "test", (low + high) / 2, low, high, posts) for pair in pairs]

    codes = [diagnosis.code for diagnosis in detect_gain_faults(gains, has_generator=True)]
    [finding] = detect_open_questions(gains)

    assert codes == []
    assert "A bootstrap of fewer than 20 posts says little" in finding.evidence
    assert f"{posts} post{'s' * (posts > 1)})" in finding.evidence


def scale(value, half_width, times):
    """Return the interval of a value from so many times the posts."""
    half = half_width / times**0.5
    return value - half, value + half


def test_a_shown_gain_of_one_training_asks_for_further_seeds():
    shown = build_run({"baseline": spoil((0, 200)), "student": spoil((0, 150))})
    not_shown = build_run({"baseline": spoil((0, 200)), "student": spoil((30, 200), (300, 326))})

    assert "one_seed" in list_codes(shown)
    assert "one_seed" not in list_codes(not_shown)


@pytest.mark.parametrize(("own_errors", "is_shared"), [(10, True), (25, False)])
def test_rows_that_make_the_same_errors_share_them(own_errors, is_shared):
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((own_errors, 200), (300, 300 + own_errors))})

    codes = list_codes(run)

    assert ("shared_errors" in codes) == is_shared


@pytest.mark.parametrize(
    ("score", "title"),
    [(0.88, "The student's scores are too high"), (0.68, "The student's scores are too low")],
)
def test_scores_that_promise_too_much_or_too_little_mislead(score, title):
    run = RunEvidence(rows={"test": {"student": build_rows(spoil((0, 220)), score=score)}})

    [diagnosis] = diagnose_run(run)

    assert (diagnosis.code, diagnosis.title) == ("misleading_scores", title)
    assert "are right: a gap of" in diagnosis.evidence


@pytest.mark.parametrize("score", [0.85, 0.71])
def test_a_gap_of_scores_that_may_be_small_is_no_fault(score):
    run = RunEvidence(rows={"test": {"student": build_rows(spoil((0, 220)), score=score)}})

    assert list_codes(run) == []


@pytest.mark.parametrize(("posts", "codes"), [(19, []), (20, ["misleading_scores", "shared_errors"])])
def test_many_errors_and_scores_in_very_few_posts_show_nothing(posts, codes):
    """Three relations a post: enough labels, of which those of one post are not independent."""
    predictions = [
        RePrediction(id=f"{number % posts}#{number}", split="test", model="m", gold=["a"], predicted=["b", 0.9])
        for number in range(3 * posts)
    ]

    run = RunEvidence(rows={"test": {"baseline": predictions, "student": predictions}})

    assert sorted({*list_codes(run)} & {"misleading_scores", "shared_errors"}) == codes


def test_the_named_threshold_takes_all_predictions_of_a_score():
    right = [*[True] * 30, *[False] * 30]
    run = RunEvidence(rows={"test": {"student": build_rows(right, score=1.0)}})

    [finding] = [d for d in diagnose_run(run) if d.code == "misleading_scores"]

    assert "At no threshold are nine in ten right." in finding.evidence


def test_a_plain_good_run_has_no_other_finding_than_its_single_seed():
    rows = {
        "baseline": spoil((0, 250)),
        "control": spoil((0, 220)),
        "student": spoil((0, 160)),
        "knowledge": spoil((0, 150)),
    }

    assert list_codes(build_run(rows, answered={"test": (1000, 1000)})) == ["one_seed"]


def test_a_run_without_predictions_has_no_diagnosis():
    assert list_codes(RunEvidence(rows={})) == []


def list_every_diagnosis():
    """Return a diagnosis of each code that a run can have."""
    losing = build_run(
        {
            "baseline": spoil((0, 200)),
            "student": spoil((0, 220)),
            "control": spoil((0, 200)),
            "knowledge": spoil((0, 200)),
        },
        set_aside=[SetAside(step, 700, 1000, "no") for step in ("prepare", "validate", "augment")],
        answered={"test": (1, 1000)},
        histories={},
    )
    gains = [
        Gain("student", "baseline", "test", 0.0, -0.001, 0.001, 9),
        Gain("knowledge", "student", "test", 0.1, 0.05, 0.2, 9),
    ]
    return [
        *diagnose_run(losing),
        *detect_gain_faults(gains, has_generator=True),
        *detect_gain_faults([Gain("student", "baseline", "test", -0.1, -0.2, -0.05, 9)], has_generator=False),
    ]


def test_remedies_name_parameters_that_exist():
    params = Params().model_dump(by_alias=True)

    names = {
        name
        for diagnosis in list_every_diagnosis()
        for name in re.findall(r"\b[a-z]+\.[a-z_]+\b", diagnosis.remedy)
    }

    parameters = {name for name in names if not name.endswith((".md", ".jsonl"))}
    assert len(parameters) > 10
    assert [name for name in parameters if name.split(".")[1] not in params.get(name.split(".")[0], {})] == []


def test_every_code_has_a_place_in_the_documentation():
    page = PAGE.read_text("utf-8")
    sources = (Path(__file__).parents[2] / "cotpd").rglob("*_rules.py")
    text = "".join(path.read_text("utf-8") for path in sources)
    codes = set(re.findall(r'build_diagnosis\(\s*"(\w+)"', text))

    assert len(codes) >= 12
    assert [code for code in {*codes, "cross_domain_loss"} if f"### {code}\n" not in page] == []
    assert all(f"docs/diagnoses.md#{diagnosis.code}." in diagnosis.remedy for diagnosis in list_every_diagnosis())


def test_diagnoses_are_written_and_read_and_two_runs_write_the_same_bytes(tmp_path):
    run = build_run({"baseline": spoil((0, 200)), "student": spoil((0, 220))})

    for name in ("a", "b"):
        write_rows(tmp_path / name / DIAGNOSES_FILE, diagnose_run(run))

    first, second = (tmp_path / name / DIAGNOSES_FILE for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert read_rows(first, Diagnosis) == list(diagnose_run(run))
