"""Data Docs: what was checked can be looked at without a network, by post, and in words."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cotpd.data.records import Caption
from cotpd.errors import ConfigError, ValidationError
from cotpd.expectations import check_rows, validate_answers, validate_captions
from cotpd.expectations.checked_tables import Check, FailingRow, list_checked_tables
from cotpd.expectations.docs import build_docs, make_context
from cotpd.expectations.params import ValidateParams
from cotpd.expectations.suites import find_suites_folder, load_suite
from tests.browser import Browser, needs_browser
from tests.expectations.samples import GOOD, POSTS, build_answer, build_located_post

LENIENT = ValidateParams(max_failed_share=1.0)


def read_pages(folder: Path) -> dict[str, str]:
    """Write the pages on some captions and answers, and return their texts by relative path."""
    context = make_context()
    captions = [
        Caption(id=post.id, image="i.jpg", caption="a woman at a window", backend="tags") for post in POSTS
    ]
    posts = [*POSTS, build_located_post("post-of-answer")]
    answers = [build_answer(GOOD, post_id="1"), build_answer("I cannot say.", post_id="post-of-answer")]
    validate_captions(captions, posts, LENIENT, context)
    validate_answers(answers, posts, LENIENT, context)
    index = build_docs(context, folder)
    assert index == folder / "index.html"
    return {str(page.relative_to(folder)): page.read_text("utf-8") for page in folder.rglob("*.html")}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of the pages, and their texts."""
    folder = tmp_path_factory.mktemp("docs") / "checks"
    return folder, read_pages(folder)


def test_the_same_tables_give_the_same_pages_at_any_time_and_old_ones_go(tmp_path, pages):
    (tmp_path / "of-an-earlier-run.html").write_text("old")

    again = read_pages(tmp_path)

    assert again == pages[1]


def test_every_table_has_its_page_and_none_names_an_address_to_load_from(pages):
    _, texts = pages

    assert sorted(texts) == ["index.html", "validations/answers/index.html", "validations/captions/index.html"]
    for page in texts.values():
        assert not re.search(r"https?://|<script|src=|@import|url\(", page)


def test_the_time_of_a_run_lies_beside_its_pages_under_the_name_of_their_contents(tmp_path):
    before = datetime.now(UTC).replace(microsecond=0)
    page = read_pages(tmp_path / "checks")["index.html"]
    after = datetime.now(UTC)

    [name] = re.findall(r'<link rel="stylesheet" href="\.\./(checked/\w+\.css)">', page)
    [stated] = re.findall(r"on (.*) UTC", (tmp_path / name).read_text("utf-8"))
    assert before <= datetime.strptime(stated, "%Y-%m-%d at %H:%M:%S").replace(tzinfo=UTC) <= after


def test_pages_of_other_rows_do_not_show_the_time_of_these(tmp_path):
    read_pages(tmp_path / "checks")
    context = make_context()
    validate_answers([build_answer(GOOD)], POSTS, LENIENT, context)

    build_docs(context, tmp_path / "checks")

    assert len(list((tmp_path / "checked").iterdir())) == 2


def test_a_failing_row_is_named_by_its_post_and_kind(pages):
    page = pages[1]["validations/answers/index.html"]

    assert "1 of 2 rows fail" in page
    assert '<td class="id">post-of-answer</td><td class="name">sentence</td>' in page
    assert '<td class="text" dir="auto">I cannot say.</td>' in page


def test_of_several_answers_to_a_question_the_failing_one_is_named(tmp_path):
    answers = [build_answer("I cannot say."), build_answer("I cannot say.").model_copy(update={"draw": 2})]
    context = make_context()
    validate_answers(answers, POSTS, LENIENT, context)

    build_docs(context, tmp_path)

    page = (tmp_path / "validations/answers/index.html").read_text("utf-8")
    assert '<th scope="col">answer no.</th>' in page
    assert '<td class="name">sentence</td><td class="name">1</td>' in page
    assert '<td class="name">sentence</td><td class="name">3</td>' in page


def test_the_columns_of_a_check_are_those_of_all_its_failing_rows():
    rows = (FailingRow({"id": "a"}, {"style": "x"}), FailingRow({"id": "b", "kind": "image"}, {"image": "y"}))

    check = Check((), "", 2, 2, rows, "", False, "")

    assert (check.names, check.columns) == (["id", "kind"], ["style", "image"])


@pytest.mark.parametrize("suite", [path.stem for path in sorted(find_suites_folder().glob("*.json"))])
def test_every_check_of_a_shipped_suite_has_a_sentence_of_its_own(suite):
    context = make_context()
    context.suites.add(load_suite(suite).suite)

    for expectation in context.suites.get(suite).expectations:
        expectation.render()
        [content] = expectation.rendered_content
        assert "expectation_type" not in content.value.template, expectation.expectation_type
        names = re.findall(r"\$(\w+)", content.value.template)
        assert all(content.value.params[name]["value"] is not None for name in names)


def check_with(folder, expectation):
    """Check one answer with a suite of one expectation, and return what the page would say of it."""
    (folder / "answers.json").write_text(json.dumps({"expectations": [expectation]}))
    context = make_context()
    try:
        check_rows([build_answer(GOOD)], "answers", {"0": POSTS[0]}, folder=folder, context=context)
    except (ConfigError, ValidationError):
        page = build_docs(context, folder / "pages").parent / "validations/answers/index.html"
        [table] = list_checked_tables(context)
        return table.checks[0], page.read_text("utf-8")
    raise AssertionError("the check holds")


def test_a_condition_on_the_whole_table_is_shown_with_what_was_counted(tmp_path):
    expectation = {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 5}}

    check, page = check_with(tmp_path, expectation)

    assert (check.holds, check.observed) == (False, "1")
    assert "It does not hold: <code>1</code>" in page


def test_a_check_that_cannot_be_evaluated_says_why(tmp_path):
    expectation = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "txt"}}

    check, page = check_with(tmp_path, expectation)

    assert "txt" in check.problem
    assert "It could not be evaluated" in page


def test_a_run_without_rows_has_a_page_that_says_so(tmp_path):
    page = build_docs(make_context(), tmp_path / "checks")

    assert "No table had a row to check" in page.read_text("utf-8")


def test_a_page_lists_some_of_many_failing_rows_and_says_how_many_there_are(tmp_path):
    posts = [build_located_post(f"p{number}") for number in range(250)]
    answers = [build_answer("", post_id=post.id) for post in posts]
    context = make_context()
    validate_answers(answers, posts, LENIENT, context)

    page = (build_docs(context, tmp_path / "checks").parent / "validations/answers/index.html").read_text("utf-8")

    assert "250 of 250 rows fail" in page
    assert "The first 200 of 250 rows that fail" in page
    assert ">p199<" in page
    assert ">p200<" not in page


@needs_browser
def test_a_browser_without_network_shows_checks_and_failing_posts_and_asks_for_nothing(pages, tmp_path):
    folder, _ = pages
    with Browser(tmp_path / "profile", is_offline=True) as browser:
        index = browser.open_page((folder / "index.html").as_uri(), width=360)
        link = index.evaluate("document.querySelector('td a').href")
        page = browser.open_page(link, width=360)
        shown = page.evaluate("document.body.innerText")
        when = index.evaluate("getComputedStyle(document.getElementById('when'), '::after').content")

        assert {"text has at least 1 and at most 400 words", "post-of-answer"} <= set(re.split(r"[\n\t]", shown))
        assert re.fullmatch(r'"on \d{4}-\d\d-\d\d at \d\d:\d\d:\d\d UTC"', when)
        for opened in (index, page):
            assert opened.list_problems() == []
            assert all(address.startswith(("file:", "data:")) for address in opened.list_requested_addresses())
            assert opened.evaluate("document.documentElement.scrollWidth") <= 360


@needs_browser
def test_pages_that_came_from_elsewhere_say_that_their_time_is_not_known(pages, tmp_path):
    folder = shutil.copytree(pages[0], tmp_path / "copied" / "checks")

    with Browser(tmp_path / "profile", is_offline=True) as browser:
        page = browser.open_page((folder / "index.html").as_uri())

        when = page.evaluate("getComputedStyle(document.getElementById('when'), '::after').content")
        assert when == '"at a time that is not recorded on this machine"'
