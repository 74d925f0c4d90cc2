"""The way of splitting words belongs to a student: its card holds it, and whatever reads text for it asks the card."""

import json
from pathlib import Path

import pytest

from cotpd.data.records import WordSplitting
from cotpd.data.words import read_text
from cotpd.errors import DataError
from cotpd.promotion.contenders import Contender
from cotpd.student import Student
from cotpd.student.card import read_card
from cotpd.student.examples import build_examples
from cotpd.student.prediction_input import list_rows, predict_rows, read_input
from cotpd.student.tasks import PredictedMention
from tests.builders import build_post, build_student

GIVEN = WordSplitting(rule="given", text_rule="characters", agreement=0.4)


@pytest.fixture
def student(bert: Path) -> Student:
    return build_student(bert)


def test_a_student_keeps_its_rule_in_its_folder(student: Student, tmp_path: Path):
    student.words = WordSplitting(rule="syllables", text_rule="syllables")
    student.save(tmp_path / "m")

    loaded = Student.from_pretrained(tmp_path / "m", "cpu")

    assert loaded.words == student.words == read_card(tmp_path / "m").words
    assert loaded.build_text_example("a-b").tokens == ("a", "-", "b")


def test_a_card_of_an_earlier_release_means_social(student: Student, tmp_path: Path):
    student.save(tmp_path / "m")
    card = json.loads((tmp_path / "m/student.json").read_text("utf-8"))
    del card["words"]
    (tmp_path / "m/student.json").write_text(json.dumps(card), "utf-8")

    assert read_card(tmp_path / "m").words == WordSplitting()


def test_rows_may_give_their_words_alone_or_beside_their_text(student: Student):
    words = ["ann", "lives", "in", "rome"]

    alone, beside, text = predict_rows(
        student,
        [{"tokens": words}, {"tokens": words, "text": "ann  lives in rome"}, {"text": "ann lives in rome"}],
    )

    assert [entity["text"] for entity in alone["entities"]] == [entity["text"] for entity in text["entities"]]
    for entity in alone["entities"]:
        assert " ".join(words[entity["start"] : entity["end"]]) == entity["text"]
    assert [(entity["start"], entity["end"]) for entity in beside["entities"]] == [
        (entity["start"], entity["end"]) for entity in alone["entities"]
    ]


def test_a_pair_in_words_is_named_by_its_words_or_by_their_numbers():
    row = {"tokens": ["Ann", "met", "Ann"], "head": "Ann", "tail": "Ann"}

    named, counted = (read_input("re", row | pair, "row 1") for pair in ({}, {"head": [0, 1], "tail": [2, 3]}))

    assert (named.head, named.tail) == (counted.head, counted.tail) == ((0, 1), (2, 3))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"tokens": [], "text": "Ann"}, "the tokens are no list of words"),
        ({"tokens": ["Ann", ""]}, "the tokens are no list of words"),
        ({"tokens": ["Ann", 3]}, "the tokens are no list of words"),
        ({"tokens": ["Bob"], "text": "Ann"}, "token 'Bob' is not in the rest of the text"),
        ({"tokens": 3}, "text is missing"),
    ],
)
def test_words_that_are_none_are_refused_with_their_row(row: dict, problem: str):
    with pytest.raises(DataError, match=f"row 1: {problem}"):
        read_input("ner", row, "row 1")


def test_a_column_of_words_is_told_from_the_words_of_one_row():
    assert list_rows({"tokens": [["a"], ["b", "c"]]}) == [{"tokens": ["a"]}, {"tokens": ["b", "c"]}]
    assert list_rows({"tokens": ["a", "b"]}) == [{"tokens": ["a", "b"]}]


def test_a_student_of_given_words_warns_of_text_once_and_of_words_never(
    student: Student, capsys: pytest.CaptureFixture[str]
):
    student.words = GIVEN

    list(student.predict([["ann", "lives"]]))
    quiet = capsys.readouterr().err
    list(student.predict(["ann lives", "bob lives"]))
    list(student.predict(["ann lives"]))

    assert quiet == ""
    assert capsys.readouterr().err.count("characters, which makes 40% of them") == 1


def test_a_champion_of_another_rule_is_judged_on_its_own_words(student: Student):
    """It reads 서울에서 as one word; its mention is shown as the four syllables of the challenger's words."""

    class Champion:
        words = WordSplitting()

        def predict_examples(self, examples, *, batch_size):
            self.tokens = [example.tokens for example in examples]
            return [[PredictedMention(0, 1, "LOC", 0.9)] for _ in examples]

    champion = Champion()
    post = build_post("서울에서 왔다").model_copy(
        update={"tokens": tuple("서울에서왔다"), "offsets": ((0, 1), (1, 2), (2, 3), (3, 4), (5, 6), (6, 7))}
    )
    syllables = WordSplitting(rule="syllables", text_rule="syllables")

    [row] = Contender("champion", champion).predict(build_examples([post], "ner", {}, {}), "ner", syllables)

    assert champion.tokens == [("서울에서", "왔다")]
    assert [(mention.start, mention.end) for mention in row.predicted] == [(0, 4)]


@pytest.mark.parametrize(
    "row", [{"text": "", "tokens": []}, {"text": " ", "tokens": []}, {"tokens": []}, {"text": ""}]
)
def test_a_row_without_a_word_is_an_empty_text(row):
    read = read_input("ner", row, "row 1")

    assert (read.text, read.offsets, read_text(row)) == ("", None, "")
