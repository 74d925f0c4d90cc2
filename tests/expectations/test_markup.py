"""Data Docs of hostile answers: what a browser executes of them is nothing."""

import html
import re
import subprocess

import pytest

from cotpd.data.records import Caption
from cotpd.expectations import validate_answers, validate_captions
from cotpd.expectations.docs import build_docs, make_context
from cotpd.expectations.params import ValidateParams
from tests.browser import FLAGS, PROGRAM, needs_browser
from tests.expectations.samples import GOOD, POSTS, build_answer

OWNED = "document.title='OWNED'"
HOSTILE = [
    f"I cannot say </script><script>{OWNED}</script>",
    f'I cannot <img src=x onerror="{OWNED}">',
    f"I cannot <svg/onload={OWNED}>",
    f"I cannot \" onmouseover={OWNED} ' onfocus={OWNED} autofocus <details open ontoggle={OWNED}>",
    f'I cannot <iframe srcdoc="<script>parent.{OWNED}</script>"></iframe>',
    f"I cannot <a href=javascript:{OWNED}>$HOME ${{x}} $</a> <!-- ]]> <style>@import 'x'",
    f"I cannot \x1b]0;x\x07 \u2028'); {OWNED}; ('",
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of Data Docs on hostile answers and captions, all of which fail their checks."""
    folder = tmp_path_factory.mktemp("docs") / "checks"
    context, lenient = make_context(), ValidateParams(max_failed_share=1.0)
    answers = [build_answer(text, post_id=str(number)) for number, text in enumerate([GOOD, *HOSTILE])]
    post = POSTS[0]
    captions = [Caption(id=post.id, image="i.jpg", caption=text * 40, backend="tags") for text in HOSTILE]

    validate_answers(answers, POSTS, lenient, context)
    validate_captions(captions, POSTS, lenient, context)

    build_docs(context, folder)
    return folder


def read_texts(folder):
    return {page: page.read_text("utf-8") for page in folder.rglob("*.html")}


def test_a_hostile_answer_stands_in_data_docs_as_text(pages):
    joined = "\n".join(read_texts(pages).values())

    assert html.escape(f"<script>{OWNED}</script>") in joined  # it can be looked at
    for tag in (f"<script>{OWNED}", "<img src=x", "<svg/onload", "<iframe", "<details open", "<a href=javascript"):
        assert tag not in joined
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028]", joined)


@needs_browser
@pytest.mark.parametrize("suite", ["answers", "captions"])
def test_a_browser_executes_nothing_of_a_hostile_answer(pages, tmp_path, suite):
    [page] = (pages / "validations" / suite).rglob("*.html")

    document = open_in_browser(page, tmp_path / "profile")

    assert "I cannot" in document  # it was rendered
    assert "<title>OWNED</title>" not in document
    assert re.search("<title>[^<]*</title>", document)


@needs_browser
def test_the_browser_of_these_tests_does_execute_scripts(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(f"<title>calm</title><p>{HOSTILE[0]}{HOSTILE[1]}")
    assert "<title>OWNED</title>" in open_in_browser(page, tmp_path / "profile")


def open_in_browser(page, profile):
    """The document after its scripts ran."""
    command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "--virtual-time-budget=5000", "--dump-dom"]
    browser = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    return browser.stdout
