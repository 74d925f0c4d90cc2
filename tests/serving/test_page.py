"""The page in a real browser: what it shows, what hostile text does to it, and whether it fits a phone."""

import json
from contextlib import ExitStack

import pytest

from cotpd.serving.limits import Limits
from cotpd.serving.service import Service
from cotpd.serving.training_posts import describe_absence
from tests.browser import Browser, needs_browser
from tests.serving.fake_predictor import build_version
from tests.serving.running_server import run_server, wait_until

pytestmark = [needs_browser, pytest.mark.slow]

HOSTILE = "\U0001f680 <img src=x onerror=\"document.title='OWNED'\"> ADA </script><script>document.title='OWNED'</script>"
LABEL = "<b onmouseover=alert(1)>PER"
NEIGHBOUR = {"id": "1", "similarity": 0.99, "label": LABEL, "text": HOSTILE, "chain": {}}


class FakeTrainingPosts:
    """The neighbours of a page; they are being read when they are first asked for."""

    def __init__(self):
        self.calls = 0

    async def explain(self, version, row):
        self.calls += 1
        if self.calls == 1:
            return describe_absence("The training posts are being read.", is_reading=True)
        start = row.text.index("ADA")
        marks = [{"start": start, "end": start + 3, "text": "ADA", "role": LABEL}]
        neighbour = NEIGHBOUR | {"marks": [{"start": 53, "end": 56, "text": "ADA", "role": LABEL}]}
        return {"claims": [{"label": LABEL, "score": 0.9, "marks": marks, "neighbours": [neighbour]}]}

    def stop(self):
        pass


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def serve_page():
    """Run servers of a page until the end of the test."""
    with ExitStack() as stack:

        def serve(task="ner", **options):
            service = Service(build_version(task=task, label=LABEL), Limits(), **options)
            running = stack.enter_context(run_server(service))
            return f"http://127.0.0.1:{running.port}/"

        yield serve


def ask(page, text, **fields):
    """Fill the form in, send it, and wait for the answer or the problem."""
    for name, value in {"text": text, **fields}.items():
        page.evaluate(f"document.getElementById('{name}').value = {json.dumps(value)}")
    page.evaluate("document.getElementById('problem').hidden = true")
    page.evaluate("document.getElementById('answer').hidden = true")
    page.evaluate("document.getElementById('ask').click()")
    page.wait_for("!document.getElementById('answer').hidden || !document.getElementById('problem').hidden")


def read(page, name):
    return page.evaluate(f"document.getElementById('{name}').textContent")


@pytest.mark.parametrize("is_dark", [False, True])
def test_hostile_text_stays_text_on_a_phone_and_nothing_overflows(browser, serve_page, tmp_path, is_dark):
    address = serve_page(training_posts=FakeTrainingPosts())
    page = browser.open_page(address, width=360, is_dark=is_dark)
    page.wait_for("document.getElementById('model').textContent.includes('version 1')")

    ask(page, HOSTILE + " " + "w" * 400)
    page.wait_for("document.querySelectorAll('#claims .post').length === 1")

    assert read(page, "marked").startswith("\U0001f680 <img src=x onerror=")
    marks = page.evaluate("[...document.querySelectorAll('#marked mark')].map((mark) => mark.firstChild.data)")
    assert marks == ["OWNED", "ADA", "OWNED"]  # behind an emoji, at the right characters
    assert page.evaluate("document.querySelectorAll('#answer img, #answer script, #answer b').length") == 0
    assert page.evaluate("document.title") == "CoTPD"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(23, 24, 27)") is is_dark
    assert page.list_problems() == []
    assert all(url.startswith((address, "data:")) for url in page.list_requested_addresses())
    page.save_screenshot(tmp_path / "page.png")


def test_without_training_posts_the_page_says_so(browser, serve_page):
    page = browser.open_page(serve_page())

    ask(page, "see ADA")
    page.wait_for("document.getElementById('note').textContent.includes('--data')")

    assert "This server shows none" in read(page, "note")
    assert page.list_problems() == []


def test_a_pair_has_its_fields_and_its_relation_or_its_problem(browser, serve_page):
    page = browser.open_page(serve_page(task="re"))
    page.wait_for("!document.getElementById('pair').hidden")

    ask(page, "Ada works for Acme", head="Ada", tail="Acme")
    assert f"Relation: {LABEL} 0.90" in read(page, "summary")
    ask(page, "Ada works for Acme", head="Bob", tail="Acme")
    assert "'Bob' does not stand in the text" in read(page, "problem")


def test_a_token_is_asked_for_and_used(browser, serve_page):
    page = browser.open_page(serve_page(token="secret"))

    ask(page, "see ADA")
    assert "token is missing" in read(page, "problem")
    page.wait_for("!document.getElementById('secret').hidden")
    ask(page, "see ADA", token="secret")

    assert "1 named entity" in read(page, "summary")


def count_violations(page):
    """Return how many violations of its policy the browser has reported by now."""
    return sum("Content Security Policy" in problem for problem in page.list_problems())


def test_a_script_that_is_not_the_pages_own_is_not_run(browser, serve_page):
    page = browser.open_page(serve_page())

    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'owned = 1'}))"
    )
    page.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    wait_until(lambda: count_violations(page) >= 2)

    assert page.evaluate("typeof owned") == "undefined"
