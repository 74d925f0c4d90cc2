"""The page of a study: the answer first, every figure with its interval, and nothing of its text as markup."""

import re

import pytest

from cotpd.studies.answer_agreement import Agreement
from cotpd.studies.html_report import render_study_page, write_study_page
from cotpd.studies.report_page import list_source_tables, render_markdown
from cotpd.studies.verdict import CellResult, Exchange, StudyResult, Verdict
from tests.browser import Browser, needs_browser

OWNED = "</script><script>document.title='OWNED'</script><img src=x onerror=alert(1)> {{ 7 * 7 }}"


def make_cells(odd: str) -> tuple[CellResult, ...]:
    """Make a baseline, a student of its own parameters, and a cell that failed."""
    baseline = {"model": "baseline", "sees": "text", "labelled": 10, "posts": 40, "seconds": 60.0}
    student = {"model": "student", "sees": "text", "labelled": 10, "posts": 40, "seconds": 90.5, "answers": 30}
    changes = {"distil.alpha": 2.0, "data: caption": False}
    return (
        CellResult(name="text", f1={1: 0.5, 2: 0.53}, **baseline),
        CellResult(name="student", f1={1: 0.6, 2: 0.62}, params=changes, **student),
        CellResult(name="broken", model="student", sees="text", problem=f"failed: no encoder {odd}"),
    )


def make_result(odd: str = "") -> StudyResult:
    """Make the result of a study with a certain gain and a cell that failed."""
    figures = {"gain": 0.095, "low": 0.04, "high": 0.15, "p_value": 0.001, "p_randomised": 0.002, "p_holm": 0.002}
    return StudyResult(
        study="mine",
        question=f"What is it worth? {odd}",
        task="ner",
        split="test",
        seeds=(1, 2),
        params={"distil.way": "frozen"},
        encoder="tiny",
        answer_price=0.01,
        seconds=100.4,
        cells=make_cells(odd),
        verdicts=(
            Verdict(first="student", second="text", claim=f"Distillation {odd}", seeds=2, **figures),
            Verdict(first="broken", second="text", claim="Nothing", problem="broken has no figures"),
        ),
    )


def test_the_page_answers_the_question_with_its_interval():
    page = render_study_page(make_result())

    for text in ("What is it worth?", "+9.50 points of F1", "+4.00 to +15.00", "after Holm", "61.00 ± 1.41"):
        assert text in page


def test_a_cell_that_failed_is_named_with_its_reason():
    page = render_study_page(make_result())

    assert re.search(r"left out or failed.*<b>broken</b>: failed: no encoder", page, re.DOTALL)
    assert "not tested: broken has no figures" in page


def test_a_cell_leads_to_its_parameters_and_shows_what_it_cost():
    page = render_study_page(make_result())

    assert '<a href="#cell-1">student</a>' in page
    assert re.search(r'id="cell-1".*distil\.alpha</th><td>2\.0<.*data: caption</th><td>False<', page, re.DOTALL)
    assert re.search(r'student</th><td class="n">30</td><td class="n">0\.3000</td><td class="n">0:01:30<', page)
    assert "0:01:40" in page  # what cells share is counted once


def test_the_page_is_the_same_every_time():
    assert render_study_page(make_result()) == render_study_page(make_result())


AGREEMENT = Agreement(
    first="student",
    second="text",
    posts=41,
    words=0.52,
    by_chance=0.14,
    corrected=0.4419,
    low=0.42,
    high=0.47,
    mentions=80,
    naming=0.62,
)
EXCHANGES = (
    Exchange(cell="student", labelled=10, posts=90, labels=30.0, dollars=0.5),
    Exchange(cell="text", labelled=10, posts=90),
    Exchange(cell="poor", labelled=10, posts=90, labels=0.0, dollars=0.00001),
)


@pytest.mark.parametrize("render", [render_study_page, lambda result: render_markdown(result, "study.png")])
def test_agreements_of_sources_and_exchanges_of_posts_for_labels_have_tables_of_their_own(render):
    result = make_result().model_copy(update={"agreements": (AGREEMENT,), "exchanges": EXCHANGES})

    text = render(result)

    for figure in ("44.19", "42.00 to 47.00", "0.62 (80)", "not stated (0)", "0.5000"):
        assert text.count(figure) == 1  # no sentence says it again
    for figure in ("Agreement of the answers", "3.0", "more than were measured", "none", "&lt; 0.0001"):
        assert figure in text


def test_a_study_without_them_has_no_such_tables():
    assert list_source_tables(make_result()) == []
    assert 'id="sources"' not in render_study_page(make_result())


@pytest.mark.parametrize("render", [render_study_page, lambda result: render_markdown(result, "study.png")])
def test_a_study_of_sentiment_names_accuracy_and_never_f1(render):
    text = render(make_result().model_copy(update={"task": "sentiment"}))

    assert "+9.50 points of accuracy" in text
    assert "Accuracy of each cell" in text
    assert not re.search(r"\bF1\b", text)


@pytest.mark.parametrize("render", [render_study_page, lambda result: render_markdown(result, "study.png")])
def test_the_answer_is_given_once_and_each_further_difference_has_a_sentence(render):
    result = make_result()
    untested_first = result.model_copy(update={"verdicts": result.verdicts[::-1]})

    for text in map(render, (result, untested_first)):
        assert text.count("Distillation : ") == 1
        assert len(re.findall(r"^(- |.*<li>)Nothing: not tested", text, re.MULTILINE)) == 1


def test_a_difference_of_few_posts_is_drawn_as_one_of_chance():
    result = make_result()
    of_few_posts = result.model_copy(
        update={"cells": tuple(cell.model_copy(update={"posts": 19}) for cell in result.cells)}
    )

    assert '"certain":true' in render_study_page(result)
    assert '"certain":true' not in render_study_page(of_few_posts)


@needs_browser
@pytest.mark.slow
def test_in_a_browser_differences_that_are_all_nothing_stand_in_the_middle(tmp_path):
    result = make_result()
    nothing = dict.fromkeys(("gain", "low", "high"), 0.0)
    verdict = result.verdicts[0].model_copy(update=nothing)
    cell = result.cells[0].model_copy(update={"f1": {1: 0.0}})
    path = tmp_path / "study.html"
    write_study_page(result.model_copy(update={"cells": (cell,), "verdicts": (verdict,)}), path)
    list_centres = "[...document.querySelectorAll('svg[role=img] circle')].map((dot) => dot.cx.baseVal.value)"

    with Browser(tmp_path / "profile") as browser:
        page = browser.open_page(path.as_uri(), width=400)

        width = page.evaluate("document.querySelector('svg[role=img]').viewBox.baseVal.width")
        assert page.list_problems() == []
        assert [round(centre / width, 1) for centre in page.evaluate(list_centres)] == [0.5] * 3


@needs_browser
@pytest.mark.slow
def test_in_a_browser_it_draws_its_figures_fits_a_phone_and_runs_nothing_else(tmp_path):
    path = tmp_path / "study.html"
    write_study_page(make_result(OWNED), path)

    with Browser(tmp_path / "profile") as browser:
        for width, is_dark in ((360, False), (1100, True)):
            page = browser.open_page(path.as_uri(), width=width, is_dark=is_dark)

            assert page.list_problems() == []
            assert page.evaluate("document.title") == "CoTPD study: mine"
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate("document.querySelectorAll('[data-figure] svg[role=img]').length") == 2
            assert page.list_requested_addresses() == [path.as_uri()]
