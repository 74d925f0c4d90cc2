"""What cells share: the same examples and parameters are one training, whichever cell asks for it."""

from collections import Counter

import pytest

from cotpd.data.records import WordSplitting
from cotpd.data.tables import write_json
from cotpd.studies import worker
from cotpd.studies.inputs import Sources
from cotpd.studies.results_cache import ResultsCache
from tests.builders import build_posts, write_prepared_tables


def count_roles(schedule):
    return Counter(job.role for job in schedule.missing.values() if job.kind == "train")


def test_students_share_their_teachers_and_soft_targets(plan):
    schedule = plan({"name": "a"}, {"name": "b", "params": {"distil.alpha": 2.0}}, seeds=[1, 2, 3])

    assert count_roles(schedule) == {"teacher": 1, "student": 6}
    assert sum(job.kind == "targets" for job in schedule.missing.values()) == 1


def test_another_temperature_shares_the_teacher_and_has_soft_targets_of_its_own(plan):
    schedule = plan({"name": "a"}, {"name": "b", "params": {"distil.temperature": 2.0}})

    assert count_roles(schedule) == {"teacher": 1, "student": 2}
    assert sum(job.kind == "targets" for job in schedule.missing.values()) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"kinds": []}},
        {"data": {"caption": False}},
        {"data": {"knowledge": "shuffled"}},
        {"data": {"augmented": []}},
        {"params": {"student.prompt_length": 0}},
        {"params": {"student.knowledge_length": 64}},
        {"params": {"train.epochs": 9}},
    ],
)
def test_a_baseline_depends_on_nothing_that_it_does_not_read(plan, changes):
    schedule = plan({"name": "a", "model": "baseline"}, {"name": "b", "model": "baseline", **changes})

    assert count_roles(schedule) == {"baseline": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"labels": 0.5}},
        {"params": {"baseline.epochs": 9}},
        {"params": {"student.max_length": 64}},
    ],
)
def test_a_baseline_depends_on_what_it_reads(plan, changes):
    schedule = plan({"name": "a", "model": "baseline"}, {"name": "b", "model": "baseline", **changes})

    assert count_roles(schedule) == {"baseline": 2}


@pytest.mark.parametrize("changes", [{"kinds": []}, {"caption": False}, {"knowledge": "constant"}])
def test_the_control_does_not_depend_on_knowledge_and_the_student_does(plan, changes):
    control = plan({"name": "a", "model": "control"}, {"name": "b", "model": "control", "data": changes})
    student = plan({"name": "a"}, {"name": "b", "data": changes})

    assert count_roles(control) == {"teacher": 1, "control": 1}
    assert count_roles(student) == {"teacher": 2, "student": 2}


def test_a_teacher_that_is_a_cell_is_the_one_that_teaches_if_the_seed_is_the_same(plan, params):
    cells = ({"name": "a", "model": "teacher"}, {"name": "b"})

    assert count_roles(plan(*cells, seeds=[params.teach.seed])) == {"teacher": 1, "student": 1}
    assert count_roles(plan(*cells, seeds=[params.teach.seed + 1])) == {"teacher": 2, "student": 1}


def test_joint_training_needs_no_teacher(plan):
    cells = ({"name": "a"}, {"name": "b", "model": "control"})

    schedule = plan(*cells, params={"distil.way": "joint"})

    assert count_roles(schedule) == {"student": 1, "control": 1}


def test_a_student_given_a_caption_is_the_same_student(plan):
    schedule = plan({"name": "a"}, {"name": "b", "reads": "caption"})

    assert count_roles(schedule) == {"teacher": 1, "student": 1}
    assert sum(job.kind == "predict" for job in schedule.missing.values()) == 2


def test_changed_posts_change_every_key_and_a_new_place_changes_none(plan, project):
    def list_keys():
        return set(plan({"name": "a"}, {"name": "b", "model": "baseline"}).jobs)

    first = list_keys()
    posts = build_posts(22)
    moved = [post.model_copy(update={"file": "elsewhere.jsonl"}) for post in posts]
    tables = {"train": moved[:12], "test": moved[12:18], "unlabelled": moved[18:]}
    augmented = (project / "data/augmented/augmented.jsonl").read_bytes()
    write_prepared_tables(project, tables)
    (project / "data/augmented/augmented.jsonl").write_bytes(augmented)

    assert list_keys() == first
    write_prepared_tables(project, tables | {"train": moved[:11]})
    assert not list_keys() & first


def test_cross_fitted_teachers_are_one_a_fold_that_students_share_and_others_do_not_change(plan):
    folds = {"params": {"teach.folds": 3}}
    cells = (
        {"name": "a"},
        {"name": "b", **folds},
        {"name": "c", "params": {"teach.folds": 3, "distil.alpha": 2.0}},
    )

    schedule = plan(*cells)

    assert count_roles(schedule) == {"teacher": 4, "student": 3}
    assert count_roles(plan({"name": "a", "params": {"teach.folds": 1}}, {"name": "b"})) == {
        "teacher": 1,
        "student": 1,
    }
    assert count_roles(plan({"name": "a", "model": "control", **folds})) == {"teacher": 3, "control": 1}


def test_a_cross_fitted_teacher_of_a_study_reads_all_folds_but_its_own(plan, project):
    schedule = plan({"name": "a", "params": {"teach.folds": 3, "teach.count": 2}})

    [targets] = [job for job in schedule.jobs.values() if job.kind == "targets"]
    sources = Sources("ner")
    source = targets.examples
    folds = sources.draw_folds(source.data_set, source.changes, count=targets.folds, seed=targets.seed)
    every = {example.id for example in sources.build_labelled(targets.examples)}
    assert len(targets.needs) == 6
    for number, key in enumerate(targets.needs):
        learnt = {example.id for example in sources.build(schedule.jobs[key].examples)}
        withheld = folds.list_all_withheld(2)[number]
        assert learnt == every & withheld
        assert all(folds.examples[name] != number % 3 for name in learnt)


def test_a_model_of_a_study_knows_how_its_posts_became_words(plan, project, monkeypatch):
    words = WordSplitting(rule="given", text_rule="social")
    write_json(project / "data/prepared/words.json", words.model_dump())
    schedule = plan({"name": "a", "model": "baseline"})
    job = next(job for job in schedule.jobs.values() if job.kind == "train")
    used = []
    monkeypatch.setattr(worker, "train", lambda *_, **settings: used.append(settings["words"]))

    worker.run_job(job, ResultsCache(project / "cache"), Sources("ner"))

    assert used == [words]
