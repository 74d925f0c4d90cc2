"""Tables against suites: what is caught, what passes, and that no expectation can get lost on the way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import Answer, Caption, Kind, Post
from cotpd.data.tokenization import tokenize
from cotpd.errors import ConfigError, ValidationError
from cotpd.expectations import check_rows, validate_answers, validate_captions
from cotpd.expectations.params import ValidateParams
from cotpd.expectations.suites import find_suites_folder, load_suite

ALL = ValidateParams(max_failed_share=1.0)
TEXT = "Ada Lovelace lands in Rome tonight, what a view"
GOOD = "Ada Lovelace, a mathematician, arrives in Rome, the capital of Italy."


def make_post(name: str, text: str = TEXT) -> Post:
    tokens = tokenize(text)
    return Post(
        id=name,
        text=text,
        tokens=tuple(token.text for token in tokens),
        offsets=tuple((token.start, token.end) for token in tokens),
        file="posts.jsonl",
        line=7,
    )


POSTS = [make_post(str(number)) for number in range(10)]


def answer(text: str, finish_reason: str = "stop", name: str = "0", kind: Kind = Kind.SENTENCE) -> Answer:
    return Answer(id=name, kind=kind, text=text, source="llm", finish_reason=finish_reason)


@pytest.mark.parametrize(
    ("text", "stop", "reason"),
    [
        ("", "stop", "empty"),
        ("  \n ", "", "empty"),
        ("...", "stop", "empty"),
        ("😀 😀", "stop", "empty"),
        ("word " * 401, "stop", "longer than 400"),
        ("I’m sorry, but I can’t help with that.", "stop", "refuses"),
        ("I cannot explain this post.", "stop", "refuses"),
        ("This is rude, and as an AI language model I do not judge.", "stop", "refuses"),
        ("No.", "refusal", "did not answer"),
        ("It is", "content_filter", "did not answer"),
        ("Explain the sentence to me with necessary background.", "stop", "repeats its prompt"),
        (f"<post> {TEXT} </post> means a lot", "stop", "repeats its prompt"),
        ("Ada is here<|im_end|>", "stop", "holds control tokens"),
        (TEXT, "stop", "copies the post"),
        ("ada lovelace LANDS in Rome!", "stop", "copies the post"),
        ("Ada is a name. " * 12, "stop", "repeats itself"),
        ("an answer that never comes to an", "length", "last whole sentence"),
    ],
)
def test_an_answer_that_does_not_hold_is_quarantined_with_its_reason(text: str, stop: str, reason: str) -> None:
    knowledge, quarantined = validate_answers([answer(text, stop), answer(GOOD, name="1")], POSTS, ALL)
    assert [row.id for row in knowledge] == ["1"]
    (row,) = quarantined
    assert reason in row.reason
    assert (row.id, row.step, row.file, row.line) == ("0", "validate", "posts.jsonl", 7)
    assert row.row["text"] == text


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        (GOOD, "stop", GOOD),
        (GOOD, "", GOOD),
        ("- Ada: a name\n- Rome: a **city**", "stop", "Ada: a name; Rome: a city"),
        ("Ada is in Rome. She saw", "length", "Ada is in Rome."),
        ("Named entities:1. Ada (person)2. Rome (city)", "", "Named entities:1. Ada (person)2. Rome (city)"),
        ("He says that he is sorry, which is a song by Justin Bieber.", "stop", None),
    ],
)
def test_what_holds_becomes_a_tidy_line_of_knowledge(text: str, stop: str, expected: str | None) -> None:
    knowledge, quarantined = validate_answers([answer(text, stop)], POSTS, ALL)
    assert quarantined == []
    assert knowledge[0].text == (expected or text)


def test_captions_are_checked_and_posts_without_one_are_neither_good_nor_bad() -> None:
    said = {
        "0": "a woman beside an engine",
        "1": None,
        "2": "person " * 20,
        "3": "I cannot see it",
        "4": "a <pad> cat",
    }
    captions = [Caption(id=name, image="a.jpg", caption=text, backend="tags") for name, text in said.items()]
    passed, quarantined = validate_captions(captions, POSTS, ALL)
    assert [row.id for row in passed] == ["0"]
    assert [row.id for row in quarantined] == ["2", "3", "4"]


def test_a_row_without_a_post_is_set_aside() -> None:
    knowledge, quarantined = validate_answers([answer(GOOD, name="nobody")], POSTS, ALL)
    assert knowledge == []
    assert "no post of this id" in quarantined[0].reason


def test_empty_tables_are_fine() -> None:
    strict = ValidateParams(max_failed_share=0.0)
    assert validate_answers([], POSTS, strict) == ([], [])
    assert validate_captions([Caption(id="0", image=None, caption=None, backend="none")], POSTS, strict) == (
        [],
        [],
    )


def test_too_many_failures_stop_with_counts_and_reasons() -> None:
    answers = [answer(GOOD if number > 2 else "", name=str(number)) for number in range(10)]
    params = ValidateParams(max_failed_share=0.29)
    with pytest.raises(
        ValidationError, match=r"3 of 10 answers.*29%.*3 x the answer is empty.*first: 0"
    ) as caught:
        validate_answers(answers, POSTS, params)
    assert "validate.max_failed_share" in caught.value.remedy
    assert len(validate_answers(answers, POSTS, ValidateParams(max_failed_share=0.3))[1]) == 3


@pytest.mark.parametrize("name", ["answers", "captions", "augmented"])
def test_every_expectation_of_a_shipped_suite_is_loaded_and_says_why(name: str) -> None:
    declared = json.loads((find_suites_folder() / f"{name}.json").read_text("utf-8"))["expectations"]
    loaded = load_suite(name).suite.expectations
    assert len(loaded) == len(declared)
    assert all(one["meta"]["reason"] for one in declared)


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Path]:
    def write(*expectations: object) -> Path:
        (tmp_path / "answers.json").write_text(json.dumps({"expectations": list(expectations)}))
        return tmp_path

    return write


NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "text"}}


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        (
            {"type": "expect_column_values_not_to_lop", "kwargs": {"column": "text"}},
            "mean expect_column_values_not_to_loop",
        ),
        ({"type": "expect_column_values_not_to_loop", "kwargs": {"column": "text", "maximum": 1}}, "maximum"),
        ({"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "txt"}}, "txt"),
        ({"kwargs": {}}, "no type"),
    ],
)
def test_an_expectation_that_cannot_be_used_is_an_error_and_not_a_pass(
    suite: Callable[..., Path], expectation: object, message: str
) -> None:
    folder = suite(NOT_NULL, expectation)
    with pytest.raises(ConfigError, match=message) as caught:
        check_rows([answer(GOOD)], "answers", {"0": POSTS[0]}, folder=folder)
    assert "answers.json" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", '{"expectations": []}', '{"name": "x"}'])
def test_a_file_that_expects_nothing_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "answers.json").write_text(content)
    with pytest.raises(ConfigError, match=r"answers\.json"):
        load_suite("answers", tmp_path)


def test_a_suite_that_is_a_folder_or_too_deep_is_named(tmp_path: Path) -> None:
    (tmp_path / "answers.json").mkdir()
    with pytest.raises(ConfigError, match=r"answers\.json: Is a directory"):
        load_suite("answers", tmp_path)
    (tmp_path / "captions.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match=r"captions\.json: no suite: .*recursion"):
        load_suite("captions", tmp_path)


def test_a_condition_on_the_whole_table_stops_the_step(suite: Callable[..., Path]) -> None:
    folder = suite({"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 5}})
    with pytest.raises(ValidationError, match="row_count"):
        check_rows([answer(GOOD)], "answers", {"0": POSTS[0]}, folder=folder)


@pytest.mark.slow
def test_nearly_all_released_answers_and_captions_pass(real_data: Path) -> None:
    params = DataParams(
        path=str(real_data / "twitter2017"), captions="captions_blip2.txt", answers="chatgpt_knowledge"
    )
    posts = [post for rows in load_dataset(params).posts.values() for post in rows]
    answers = [
        Answer(id=post.id, kind=kind, text=text, source="dataset")
        for post in posts
        for kind, text in post.knowledge.items()
    ]
    captions = [Caption(id=post.id, image=post.image, caption=post.caption, backend="dataset") for post in posts]
    knowledge, bad = validate_answers(answers, posts, ValidateParams())
    assert len(answers) > 4800
    assert len(bad) < 0.005 * len(answers)
    assert len(validate_captions(captions, posts, ValidateParams())[1]) < 0.02 * len(captions)
    assert max(len(row.text) for row in knowledge) > 500
