"""Tables against suites: what is caught, what passes, and that no expectation can get lost on the way."""

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from cotpd.data.load import load_dataset
from cotpd.data.params import DataParams
from cotpd.data.records import Answer, Caption
from cotpd.errors import ConfigError, ValidationError
from cotpd.expectations import check_rows, validate_answers, validate_captions
from cotpd.expectations.params import ValidateParams
from cotpd.expectations.suites import find_suites_folder, load_suite
from tests.expectations.samples import GOOD, POSTS, TEXT, build_answer

LENIENT = ValidateParams(max_failed_share=1.0)


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
def test_an_answer_that_fails_is_quarantined_with_its_reason(text: str, stop: str, reason: str) -> None:
    answers = [build_answer(text, stop), build_answer(GOOD, post_id="1")]

    knowledge, quarantined = validate_answers(answers, POSTS, LENIENT)

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
def test_an_answer_that_passes_becomes_a_tidy_line_of_knowledge(
    text: str, stop: str, expected: str | None
) -> None:
    knowledge, quarantined = validate_answers([build_answer(text, stop)], POSTS, LENIENT)

    assert quarantined == []
    assert knowledge[0].text == (expected or text)


def test_captions_are_checked_and_posts_without_one_are_neither_good_nor_bad() -> None:
    texts = {
        "0": "a woman beside an engine",
        "1": None,
        "2": "person " * 20,
        "3": "I cannot see it",
        "4": "a <pad> cat",
    }
    captions = [Caption(id=name, image="a.jpg", caption=text, backend="tags") for name, text in texts.items()]

    passed, quarantined = validate_captions(captions, POSTS, LENIENT)

    assert [row.id for row in passed] == ["0"]
    assert [row.id for row in quarantined] == ["2", "3", "4"]


def test_a_row_without_a_post_is_set_aside() -> None:
    knowledge, quarantined = validate_answers([build_answer(GOOD, post_id="nobody")], POSTS, LENIENT)

    assert knowledge == []
    assert "no post of this id" in quarantined[0].reason


def test_empty_tables_are_fine() -> None:
    strict = ValidateParams(max_failed_share=0.0)
    without_text = [Caption(id="0", image=None, caption=None, backend="none")]

    assert validate_answers([], POSTS, strict) == ([], [])
    assert validate_captions(without_text, POSTS, strict) == ([], [])


def test_too_many_failures_stop_with_counts_and_reasons() -> None:
    answers = [build_answer(GOOD if number > 2 else "", post_id=str(number)) for number in range(10)]
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
    assert all(entry["meta"]["reason"] for entry in declared)


@pytest.fixture
def write_suite(tmp_path: Path) -> Callable[..., Path]:
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
    write_suite: Callable[..., Path], expectation: object, message: str
) -> None:
    folder = write_suite(NOT_NULL, expectation)

    with pytest.raises(ConfigError, match=message) as caught:
        check_rows([build_answer(GOOD)], "answers", {"0": POSTS[0]}, folder=folder)

    assert "answers.json" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", '{"expectations": []}', '{"name": "x"}'])
def test_a_file_that_expects_nothing_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "answers.json").write_text(content)

    with pytest.raises(ConfigError, match=r"answers\.json"):
        load_suite("answers", tmp_path)


def test_a_suite_that_is_a_folder_or_too_deep_is_named(tmp_path: Path) -> None:
    (tmp_path / "answers.json").mkdir()
    (tmp_path / "captions.json").write_text("[" * 100_000)

    with pytest.raises(ConfigError, match=r"answers\.json: Is a directory"):
        load_suite("answers", tmp_path)
    with pytest.raises(ConfigError, match=r"captions\.json: no suite: .*recursion"):
        load_suite("captions", tmp_path)


def test_a_condition_on_the_whole_table_stops_the_step(write_suite: Callable[..., Path]) -> None:
    folder = write_suite({"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 5}})

    with pytest.raises(ValidationError, match="row_count"):
        check_rows([build_answer(GOOD)], "answers", {"0": POSTS[0]}, folder=folder)


@pytest.mark.slow
def test_nearly_all_released_answers_and_captions_pass(real_data: Path) -> None:
    params = DataParams(
        path=str(real_data / "twitter2017"), captions="captions_blip2.txt", answers="chatgpt_knowledge"
    )
    posts = list(chain.from_iterable(load_dataset(params).posts.values()))
    answers = [
        Answer(id=post.id, kind=kind, text=text, source="dataset")
        for post in posts
        for kind, text in post.knowledge.items()
    ]
    captions = [Caption(id=post.id, image=post.image, caption=post.caption, backend="dataset") for post in posts]

    knowledge, failed_answers = validate_answers(answers, posts, ValidateParams())
    _, failed_captions = validate_captions(captions, posts, ValidateParams())

    assert len(answers) > 4800
    assert len(failed_answers) < 0.005 * len(answers)
    assert len(failed_captions) < 0.02 * len(captions)
    assert max(len(row.text) for row in knowledge) > 500
