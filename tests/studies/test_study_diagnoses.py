"""What a study's differences say is wrong: by made-up results that have it, and that nearly have it."""

import pytest

from cotpd.studies.report_page import list_notes
from cotpd.studies.study import Cell, Changes, Comparison, DataSet, Study
from cotpd.studies.study_diagnoses import diagnose_study
from cotpd.studies.verdict import CellResult, StudyResult, Verdict

CELLS = (
    Cell(name="text, a to a", model="baseline", train_on="a"),
    Cell(name="student, a to a", train_on="a"),
    Cell(name="text, a to b", model="baseline", train_on="a", test_on="b"),
    Cell(name="student, a to b", train_on="a", test_on="b"),
    Cell(name="plain, a to b", train_on="a", test_on="b", data=Changes(augmented=())),
    Cell(name="control, a to a", model="control", train_on="a"),
    Cell(name="knowledge, a to a", model="teacher", train_on="a"),
    Cell(name="knowledge, given text", model="teacher", train_on="a", reads="text"),
    Cell(name="caption alone", model="teacher", train_on="a", data=Changes(kinds=())),
    Cell(name="shuffled", train_on="a", data=Changes(knowledge="shuffled")),
    Cell(name="given all", train_on="a", reads="knowledge"),
    Cell(name="small", train_on="a", params={"student.layers": 2}),
    Cell(name="a tenth", train_on="a", data=Changes(labels=0.1)),
)
WITHIN = ("student, a to a", "text, a to a")
ACROSS = ("student, a to b", "text, a to b")
AUGMENTED = ("student, a to b", "plain, a to b")


def diagnose(*figures, posts=1000, seeds=(1, 2)):
    """Return the diagnoses of differences, each a pair of cells with the ends of its interval in points."""
    pairs = [pair for pair, _, _ in figures]
    study = Study(
        question="?",
        data_sets={"a": DataSet(), "b": DataSet()},
        cells=CELLS,
        comparisons=tuple(Comparison(first=first, second=second, claim="It") for first, second in pairs),
    )
    verdicts = tuple(build_verdict(*figure) for figure in figures)
    cells = tuple(CellResult(name=cell.name, model=cell.model, sees="text", posts=posts) for cell in CELLS)
    result = StudyResult(
        study="mine", question="?", task="ner", split="test", seeds=seeds, cells=cells, verdicts=verdicts
    )
    return list(diagnose_study(study, result, prompt_length=16)), result


def build_verdict(pair, low, high):
    low, high = low / 100, high / 100
    figures = {"gain": (low + high) / 2, "low": low, "high": high, "p_value": 0.01, "p_holm": 0.02, "seeds": 2}
    return Verdict(first=pair[0], second=pair[1], claim="It", **figures)


def test_a_gain_within_a_domain_and_a_loss_across_it_are_told_with_what_augmentation_does():
    diagnoses, _ = diagnose((WITHIN, 0.5, 2.5), (ACROSS, -4, -1), (AUGMENTED, -3, -0.5))

    [diagnosis] = [diagnosis for diagnosis in diagnoses if diagnosis.code == "cross_domain_loss"]
    assert all(f'{pair[0]}" over "{pair[1]}' in diagnosis.evidence for pair in (WITHIN, ACROSS, AUGMENTED))
    assert "augment.kinds" in diagnosis.remedy


@pytest.mark.parametrize(
    "figures",
    [
        [(WITHIN, 0.5, 2.5), (ACROSS, -4, 0.2)],  # the loss may be none
        [(WITHIN, -0.2, 2.5), (ACROSS, -4, -1)],  # the gain may be none
        [(ACROSS, -4, -1)],
        [(WITHIN, 0.5, 2.5), (AUGMENTED, -4, -1)],
    ],
)
def test_without_both_a_gain_and_a_loss_the_domains_are_not_blamed(figures):
    diagnoses, _ = diagnose(*figures)

    assert "cross_domain_loss" not in [diagnosis.code for diagnosis in diagnoses]


@pytest.mark.parametrize(("posts", "is_blamed"), [(19, False), (20, True)])
def test_the_domains_are_not_blamed_on_very_few_posts(posts, is_blamed):
    diagnoses, _ = diagnose((WITHIN, 0.5, 2.5), (ACROSS, -4, -1), posts=posts)

    assert ("cross_domain_loss" in [diagnosis.code for diagnosis in diagnoses]) == is_blamed


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("knowledge, given text", "text, a to a"),
        ("caption alone", "text, a to a"),
        ("shuffled", "control, a to a"),
        ("given all", "text, a to a"),
        ("small", "text, a to a"),
        ("a tenth", "text, a to a"),
    ],
)
def test_a_cell_that_is_no_row_of_a_run_is_not_blamed_as_one(first, second):
    diagnoses, _ = diagnose(((first, second), -5, -2))

    assert diagnoses == []


def test_each_finding_names_the_cells_of_its_difference():
    [diagnosis], _ = diagnose((WITHIN, -3, -1))

    assert diagnosis.evidence.startswith(f'"{WITHIN[0]}" over "{WITHIN[1]}": -2.00 points of F1')


@pytest.mark.parametrize(("seeds", "is_advised"), [((1,), True), ((1, 2), False)])
def test_a_study_of_one_seed_alone_is_advised_to_run_more(seeds, is_advised):
    [diagnosis], _ = diagnose((WITHIN, -9, 4), seeds=seeds)

    assert diagnosis.code == "too_few_posts"
    assert ("run the study with three (--seed 13" in diagnosis.remedy) == is_advised
    assert "dvc exp" not in diagnosis.remedy


@pytest.mark.parametrize(
    ("second", "low", "high", "codes"),
    [
        ("control, a to a", -0.5, 0.5, ["lost_knowledge"]),
        ("control, a to a", 0.2, 0.9, []),
        ("control, a to a", -1.0, 2.0, ["too_few_posts"]),
        ("text, a to a", -3.0, -1.0, ["student_below_baseline"]),
    ],
)
def test_a_study_is_judged_by_the_rules_of_a_run(second, low, high, codes):
    diagnoses, _ = diagnose((("student, a to a", second), low, high))

    assert [diagnosis.code for diagnosis in diagnoses] == codes


def test_a_teacher_stands_for_the_knowledge_view():
    diagnoses, _ = diagnose((("knowledge, a to a", "text, a to a"), -0.5, 0.5))

    assert [diagnosis.code for diagnosis in diagnoses] == ["useless_knowledge"]


def test_a_difference_that_was_not_tested_says_nothing():
    _, result = diagnose((WITHIN, -3, -1))
    untested = result.model_copy(update={"verdicts": (Verdict(first=WITHIN[0], second=WITHIN[1], claim="It"),)})

    study = Study(question="?", data_sets={"a": DataSet()}, cells=CELLS)
    assert list(diagnose_study(study, untested, prompt_length=16)) == []


@pytest.mark.parametrize(
    ("project", "params", "blamed"),
    [(16, {}, "prompt_length"), (0, {}, "teachers"), (16, {"student.prompt_length": 0}, "teachers")],
)
def test_a_generator_is_blamed_where_the_student_has_one(project, params, blamed):
    _, result = diagnose((WITHIN, -3, -1))
    study = Study(question="?", params=params, data_sets={"a": DataSet()}, cells=CELLS)

    [diagnosis] = diagnose_study(study, result, prompt_length=project)

    assert blamed in diagnosis.remedy


def test_diagnoses_stand_among_the_notes_of_a_study():
    diagnoses, result = diagnose((WITHIN, -3, -1))

    notes = list_notes(result.model_copy(update={"diagnoses": tuple(diagnoses)}))

    assert any(note.startswith("The student is worse than the baseline. ") for note in notes)
