"""Suspected gold errors: which changes are suspected, in which order, and the probabilities behind the score."""

import math

import pytest

from cotpd.data.records import Post
from cotpd.evaluation.gold_error_score import Habits, compute_score, count_families
from cotpd.evaluation.gold_errors import Evidence, find_suspects
from cotpd.evaluation.labelling_odds import Reader, compute_shares
from cotpd.student.labels import LabelSet
from cotpd.student.tasks import (
    ClassPrediction,
    GoldLabel,
    GoldMention,
    NerPrediction,
    PredictedLabel,
    PredictedMention,
    RePrediction,
    find_task,
)
from cotpd.student.tasks.base import Change
from tests.builders import build_post

POST = build_post("[Ruth](PER) left [Boston](ORG) for New York")
ROWS = ("baseline", "control", "student", "knowledge")


class FakeModel:
    """A model that holds the labellings with a given type at a given log-probability, and all others at zero."""

    def __init__(self, task: str, types: list[str], values: dict[str, float]) -> None:
        self.labels = LabelSet.build(task, types)
        self._values = values

    def compute_log_probabilities(self, examples, view=None, batch_size=32) -> list[float]:
        return [self._values.get(self._name(example), 0.0) for example in examples]

    def _name(self, example) -> str:
        return example.label or " ".join(str(entity.type) for entity in example.entities)


def predict(model: str, markup: str, *, post: Post = POST, scored: bool = True) -> NerPrediction:
    """Build a row's prediction for a post from the post's markup as the row labels it."""
    score = 0.9 if scored else -1.0
    labelled = build_post(markup)
    mentions = [PredictedMention(row.start, row.end, str(row.type), score) for row in labelled.entities]
    gold = [GoldMention(entity.start, entity.end, str(entity.type)) for entity in post.entities]
    return NerPrediction(id=post.id, split="test", model=model, gold=gold, predicted=mentions)


def find(*predictions, readers=(), post: Post = POST, task: str = "ner"):
    return find_suspects(Evidence(find_task(task), predictions, {"test": [post]}, readers))


def build_readers(odds: dict[str, float], types=("LOC", "ORG", "PER")) -> list[Reader]:
    """Build a reader for each row, which holds Boston as LOC at these odds against the gold."""
    return [Reader(row, FakeModel("ner", list(types), {"PER LOC": value})) for row, value in odds.items()]


LOC = "[Ruth](PER) left [Boston](LOC) for New York"
GOLD = "[Ruth](PER) left [Boston](ORG) for New York"


def test_a_change_that_two_families_agree_on_is_suspected_and_shown_in_characters() -> None:
    rows = [predict("baseline", LOC), predict("student", LOC), predict("knowledge", GOLD)]

    (suspect,) = find(*rows, readers=build_readers({"baseline": 3.0, "student": 3.0, "knowledge": 3.0}))

    assert (suspect.removed, suspect.added) == (
        [{"start": 10, "end": 16, "type": "ORG"}],
        [{"start": 10, "end": 16, "type": "LOC"}],
    )
    assert [label["type"] for label in suspect.suggested] == ["PER", "LOC"]
    assert suspect.agreeing == ["baseline", "student"]
    assert "“Boston” LOC instead of “Boston” ORG" in suspect.reason
    assert "2 of 2 independent readings" in suspect.reason


@pytest.mark.parametrize("agreeing", [("student", "knowledge"), ("baseline", "control"), ("student",)])
def test_rows_of_one_family_are_no_agreement(agreeing) -> None:
    rows = [predict(row, LOC if row in agreeing else GOLD) for row in ROWS]

    assert find(*rows, readers=build_readers(dict.fromkeys(ROWS, 3.0))) == []


def test_one_family_is_enough_where_there_is_no_other() -> None:
    suspects = find(predict("student", LOC), readers=build_readers({"student": 3.0}))

    assert [suspect.agreeing for suspect in suspects] == [["student"]]


def test_a_change_that_the_models_hold_for_less_probable_than_the_gold_is_not_suspected() -> None:
    rows = [predict(row, LOC) for row in ROWS]

    assert find(*rows, readers=build_readers(dict.fromkeys(ROWS, -0.1))) == []


def test_the_more_probable_change_comes_first() -> None:
    posts = [build_post(GOLD, id=name) for name in ("weak", "strong", *"abcdefgh")]
    rows = []
    for post in posts:
        rows += [predict(row, GOLD if len(post.id) == 1 else LOC, post=post) for row in ROWS]

    class Model(FakeModel):
        def _name(self, example) -> str:
            return f"{example.id} {super()._name(example)}"

    model = Model("ner", ["LOC", "ORG", "PER"], {"weak PER LOC": 1.0, "strong PER LOC": 9.0})
    readers = [Reader(row, model) for row in ROWS]

    suspects = find_suspects(Evidence(find_task("ner"), rows, {"test": posts}, readers))

    assert [(suspect.id, suspect.rank) for suspect in suspects] == [("strong", 1), ("weak", 2)]


def test_every_kind_of_change_is_a_change_of_its_own() -> None:
    row = predict("student", "[Ruth left](PER) [Boston](LOC) for [New York](LOC)")

    assert row.list_changes() == [
        Change((GoldMention(0, 1, "PER"),), (GoldMention(0, 2, "PER"),)),
        Change((GoldMention(2, 3, "ORG"),), (GoldMention(2, 3, "LOC"),)),
        Change((), (GoldMention(4, 6, "LOC"),)),
    ]


def test_of_changes_that_exclude_each_other_the_one_with_most_rows_is_suggested() -> None:
    longer = "[Ruth](PER) left [Boston for](ORG) New York"
    rows = [
        predict("baseline", LOC),
        predict("control", longer),
        predict("student", LOC),
        predict("knowledge", LOC),
    ]

    suspects = find(*rows, readers=build_readers(dict.fromkeys(ROWS, 3.0)))

    assert [suspect.added[0]["type"] for suspect in suspects] == ["LOC"]


def test_a_model_that_does_not_know_a_label_has_no_share() -> None:
    rows = [predict(row, LOC) for row in ROWS]
    readers = [*build_readers({"baseline": 3.0, "student": 3.0}), *build_readers({"control": 9.0}, ("LOC", "PER"))]

    (suspect,) = find(*rows, readers=readers)

    assert suspect.shares.keys() == {"baseline", "student"}


def test_a_row_without_probabilities_counts_with_the_share_of_its_labels_that_are_right() -> None:
    rows = [predict("student", LOC), predict("llm", LOC, scored=False)]

    (suspect,) = find(*rows, readers=build_readers({"student": 9.0}))

    assert suspect.shares["llm"] == pytest.approx(2 / 4)  # one of two is right, smoothed


def test_a_confusion_that_a_row_commits_often_counts_less() -> None:
    rare, frequent = Habits(), Habits()
    frequent.confusions["ORG", "LOC"], frequent.totals["ORG"] = 8, 10
    rare.totals["ORG"] = 10
    change = Change((GoldMention(0, 1, "ORG"),), (GoldMention(0, 1, "LOC"),))

    scores = [compute_score({"student": 0.9}, change, [], {"student": habits}) for habits in (frequent, rare)]

    assert scores == pytest.approx([0.9 * (1 - 8.5 / 11), 0.9 * (1 - 0.5 / 11)])


def test_the_shares_are_those_of_the_log_probabilities() -> None:
    candidate = find(*(predict(row, LOC) for row in ROWS), readers=build_readers(dict.fromkeys(ROWS, 2.0)))[0]

    assert candidate.shares["student"] == pytest.approx(1 / (1 + math.exp(-2)), abs=1e-4)


def test_a_relation_is_suspected_with_its_pair() -> None:
    post = build_post("[Ruth](PER) left [Boston](ORG)", relations=[(1, 0, "None"), (0, 1, "None")])
    rows = [
        RePrediction(
            id="1#1",
            split="test",
            model=row,
            gold=GoldLabel("None"),
            predicted=PredictedLabel("member_of", 0.9),
        )
        for row in ("baseline", "student")
    ]
    model = FakeModel("re", ["None", "member_of"], {"member_of": 3.0})

    (suspect,) = find(*rows, readers=[Reader(row, model) for row in ("baseline", "student")], post=post, task="re")

    assert (suspect.id, suspect.example, suspect.gold, suspect.suggested) == ("1", "1#1", ["None"], ["member_of"])
    assert suspect.pair == [{"start": 0, "end": 4}, {"start": 10, "end": 16}]
    assert suspect.reason.startswith("member_of instead of None")


def test_a_language_model_is_a_family_of_its_own() -> None:
    assert count_families(["baseline", "control", "student", "knowledge", "llm", "another"]) == 4


def test_no_dispute_needs_no_model() -> None:
    assert compute_shares(build_readers({"student": 1.0}), [], "ner") == []


def test_the_label_of_a_post_is_suspected() -> None:
    post = build_post("what a day", id="1", label="sad")
    rows = [
        ClassPrediction(
            task="sentiment",
            id="1",
            split="test",
            model=row,
            gold=GoldLabel("sad"),
            predicted=PredictedLabel("glad", 0.9),
        )
        for row in ("baseline", "student")
    ]
    model = FakeModel("sentiment", ["glad", "sad"], {"glad": 3.0})
    readers = [Reader(row, model) for row in ("baseline", "student")]

    (suspect,) = find(*rows, readers=readers, post=post, task="sentiment")

    assert (suspect.gold, suspect.suggested, suspect.pair) == (["sad"], ["glad"], [])
