"""The check of the gold labels: who judges training posts, and what is written about corrected labels."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from cotpd.config import Params
from cotpd.data.tables import read_table, write_table
from cotpd.evaluation.gold_errors import Suspect
from cotpd.pipeline.cross_fitted import CrossFitted
from cotpd.pipeline.folds import Folds, write_folds
from cotpd.pipeline.gold_check import check_gold
from cotpd.pipeline.workspace import Workspace
from cotpd.student.examples import build_examples
from cotpd.student.labels import LabelSet
from cotpd.student.tasks import GoldMention, NerPrediction, PredictedMention
from tests.builders import build_post, write_prepared_tables

POSTS = [build_post("[ann](PER) lives in [rome](LOC)", id=f"p{number}") for number in range(8)]
WRONG = build_post("[ann](PER) lives in [rome](ORG)", id="wrong")
FOLDS = Folds(count=2, examples={post.id: number % 2 for number, post in enumerate([*POSTS, WRONG])})


class FakeTeacher:
    """A teacher that reads every post alike: a person in a place. It records which examples it is asked about."""

    labels = LabelSet.build("ner", ("LOC", "ORG", "PER"))

    def __init__(self, folder: Path, questions) -> None:
        self._folder, self._questions = folder.as_posix(), questions

    def predict_examples(self, examples, view=None, batch_size=32):
        self._questions[self._folder, view] |= {example.id for example in examples}
        mentions = [PredictedMention(0, 1, "PER", 0.9), PredictedMention(3, 4, "LOC", 0.9)]
        return [mentions for _ in examples]

    def compute_log_probabilities(self, examples, view=None, batch_size=32):
        self._questions[self._folder, view] |= {example.id for example in examples}
        return [-0.1 if example.entities[1].type == "LOC" else -6.0 for example in examples]


@pytest.fixture
def questions(monkeypatch):
    """What each teacher is asked, by its folder and view."""
    record = defaultdict(set)
    monkeypatch.setattr(
        "cotpd.pipeline.cross_fitted.Student.from_pretrained", lambda folder, device: FakeTeacher(folder, record)
    )
    return record


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    write_prepared_tables(tmp_path, {"train": [*POSTS, WRONG], "test": [POSTS[0]]})
    return Workspace()


def check(project: Workspace, predictions=()) -> list[str]:
    return list(check_gold(project, Params(), predictions, []))


def test_a_training_post_is_judged_by_the_teacher_that_never_saw_it(project, questions) -> None:
    for folder in (project.targets, project.control_targets):
        write_folds(FOLDS, folder)

    lines = check(project)

    suspects = read_table(project.evaluation / "suspected_errors.jsonl", Suspect)
    assert [(row.split, row.id, row.agreeing) for row in suspects] == [
        ("train", "wrong", ["teacher", "control teacher"])
    ]
    assert "train: 1 suspected gold error" in " ".join(lines)
    assert {key: ids for key, ids in questions.items() if key[0].endswith("/0")}.keys() == {
        ("models/teachers/0", "knowledge"),
        ("models/control/teachers/0", "text"),
    }
    for (folder, _), ids in questions.items():
        assert {FOLDS.examples[name] for name in ids} == {int(folder.rpartition("/")[2])}


def test_without_cross_fitted_teachers_training_posts_are_not_judged(project, questions) -> None:
    check(project)

    assert read_table(project.evaluation / "suspected_errors.jsonl", Suspect) == []
    assert questions == {}


def test_teachers_of_all_posts_are_not_cross_fitted(tmp_path: Path, questions) -> None:
    assert CrossFitted.find(tmp_path / "teachers", tmp_path / "targets") is None


def test_answers_come_in_the_order_of_the_examples(tmp_path: Path, questions) -> None:
    model = CrossFitted(tmp_path, FOLDS)
    examples = build_examples([*POSTS[:3], WRONG], "ner", {}, {})

    assert model.compute_log_probabilities(examples, "text") == [-0.1, -0.1, -0.1, -6.0]


def test_a_split_with_corrected_labels_is_scored_on_both_versions(project, questions) -> None:
    write_table(project.locate_posts("test_uncorrected"), [build_post("[ann](ORG) lives in [rome](LOC)", id="p0")])
    gold = [GoldMention(0, 1, "PER"), GoldMention(3, 4, "LOC")]
    predicted = [PredictedMention(*mention, 0.9) for mention in gold]
    row = NerPrediction(id="p0", split="test", model="student", gold=gold, predicted=predicted)

    lines = check(project, [row])

    versions = json.loads((project.evaluation / "corrected_labels.json").read_text("utf-8"))
    assert versions["test"]["before"]["student"]["f1"] == 0.5
    assert versions["test"]["after"]["student"]["f1"] == 1.0
    assert "its scores do not compare with published ones" in lines[-1]
