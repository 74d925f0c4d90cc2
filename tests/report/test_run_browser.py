"""The page of a run in a real browser: filters, addresses, hostile posts, a phone, keys, paper and size."""

from pathlib import Path

import pytest

from cotpd.report.run_page import write_run_page
from tests.browser import Browser, Page, needs_browser
from tests.made_up_runs import add_remarks, make_run

pytestmark = [needs_browser, pytest.mark.slow]

OWNED = "document.title='OWNED'"
HOSTILE = (
    f"</script><script>{OWNED}</script>",
    f"<!-- <script>{OWNED}</script>",
    f'<img src=x onerror="{OWNED}"> <svg onload={OWNED}>',
    "\u2028\u2029 \u202e\u2066 \u200f reversed \u2069",
    "{{ 7 * 7 }} {% raw %} ${7 * 7} `x`",
    "W" * 3000,
    "\U0001f680\U0001f469\u200d\U0001f680 caf\u00e9 \ud83d",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "__proto__ constructor &lt;b&gt; &amp; \\u003c \\",
)
COUNT = "document.getElementById('count').textContent"
ITEMS = "[...document.querySelectorAll('#list > li')].map((item) => item.dataset.id)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """The page of sixty harmless posts."""
    path = tmp_path_factory.mktemp("plain") / "report.html"
    write_run_page(add_remarks(make_run(60)), path)
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """A page in which everything that comes from outside means harm."""
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    write_run_page(add_remarks(make_run(40, texts=HOSTILE), HOSTILE), path)
    return path


def set_field(page: Page, name: str, value: str) -> None:
    """Put a value into a filter, as a user does, and wait until the list has followed."""
    script = f"""(() => {{ const field = document.querySelector('[name="{name}"]'); field.value = {value!r};
        field.dispatchEvent(new Event('input', {{ bubbles: true }})); }})()"""
    page.evaluate(script)
    page.wait_for(f"new URLSearchParams(location.hash.slice(1)).get('{name}') === {value!r}")


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("is_dark", [False, True])
def test_no_text_becomes_markup_or_script_and_nothing_overflows(browser, hostile, width, is_dark):
    page = browser.open_page(hostile.as_uri(), width=width, is_dark=is_dark)

    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    page.wait_for("document.querySelectorAll('#list .body').length > 20")

    assert page.list_problems() == []
    assert page.evaluate("document.title").startswith("CoTPD")
    assert (
        page.evaluate("document.images.length + document.querySelectorAll('main script, svg[onload]').length") == 0
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.list_requested_addresses() == [hostile.as_uri()]
    text = page.evaluate("document.getElementById('list').textContent")
    assert "</script><script>document.title='OWNED'</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert "\U0001f680\U0001f469\u200d\U0001f680 café" in text
    assert "\u202e" not in text


def test_filters_narrow_the_list_and_their_address_leads_to_the_same_posts(browser, plain):
    page = browser.open_page(plain.as_uri())

    set_field(page, "split", "test")
    set_field(page, "is.student", "right")
    set_field(page, "is.baseline", "wrong")

    assert page.evaluate(COUNT) == "8 of 60 posts"
    items = page.evaluate(ITEMS)
    assert items == ["t3", "t6", "t9", "t12", "t18", "t21", "t24", "t27"]  # every third, but every fifth
    copy = browser.open_page(plain.as_uri() + page.evaluate("location.hash"))
    assert copy.evaluate(ITEMS) == items


def test_filters_and_verdicts_call_a_row_by_its_title(browser, plain):
    page = browser.open_page(plain.as_uri() + "#pair.row=knowledge&pair.gold=PER&pair.label=ORG")

    labels = page.evaluate("document.getElementById('filters').textContent")
    assert "student and text-only baseline differ" in labels
    assert "knowledge view: annotated PER, predicted ORG" in labels
    page.evaluate("location.hash = ''")
    page.wait_for(f"{ITEMS}.length > 0")
    assert "control (no knowledge) ✓ right" in page.evaluate("document.getElementById('list').textContent")


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("q", "nr 17", 2),
        ("q", "T17", 1),
        ("type", "ORG", 50),
        ("differ", "rows", 34),
        ("differ", "student-baseline", 24),
        ("differ", "wrong", 2),
        ("slice", "no picture", 0),
        ("slice", "seen in training: unseen", 48),
        ("slice", "knowledge: with", 60),
        ("slice", "mention length: 3 tokens", 60),
        ("min", "99", 0),
        ("max", "99", 60),
    ],
)
def test_each_filter_selects_its_posts(browser, plain, name, value, count):
    page = browser.open_page(plain.as_uri())

    set_field(page, name, value)

    assert page.evaluate(COUNT) == f"{count} of 60 posts"


def test_knowledge_is_searched_when_asked_for(browser, plain):
    without = browser.open_page(plain.as_uri() + "#q=a+person")
    within = browser.open_page(plain.as_uri() + "#q=a+person&deep=1")

    assert (without.evaluate(COUNT), within.evaluate(COUNT)) == ("0 of 60 posts", "60 of 60 posts")


def test_a_count_of_the_confusion_leads_to_its_posts(browser, plain):
    page = browser.open_page(plain.as_uri())
    button = "[...document.querySelectorAll('.confusion button')].find((member) => member.ariaLabel.includes('annotated LOC, predicted ORG'))"

    count = page.evaluate(f"{button}.textContent")
    page.evaluate(f"{button}.click()")

    assert page.evaluate(COUNT) == f"{count} of 60 posts"
    assert "pair.row=student" in page.evaluate("location.hash")


def test_an_address_opens_its_post_with_all_that_is_known_of_it(browser, plain):
    page = browser.open_page(plain.as_uri() + "#post=t29")

    page.wait_for("document.querySelector('#list li[data-id=t29] .body') !== null")

    text = page.evaluate("document.querySelector('#list li[data-id=t29] .body').textContent")
    for part in (
        "annotation",
        "text-only baseline",
        "knowledge view",
        "a tower",
        "Ada is a person",
        "0.88",
        "0.90 near, n0",
    ):
        assert part in text
    assert page.evaluate("document.activeElement.closest('li').dataset.id") == "t29"


def test_pages_are_turned_with_the_keyboard(browser, plain):
    page = browser.open_page(plain.as_uri())
    page.evaluate(
        "[...document.querySelectorAll('#pager button')].find((member) => member.textContent === 'Next').focus()"
    )

    page.send_key("Enter")

    page.wait_for("location.hash.includes('page=2')")
    assert page.evaluate(ITEMS)[0] == "v25"


def test_plots_are_drawn_and_a_row_can_be_left_out(browser, plain):
    page = browser.open_page(plain.as_uri())
    bars = "document.querySelectorAll('[data-figure=types-test] .bar').length"
    before = page.evaluate(bars)

    page.evaluate("document.querySelector('[data-figure=types-test] .legend button').click()")

    assert before == 4 * page.evaluate(bars) // 3 == 16
    assert page.evaluate("document.querySelectorAll('[data-figure] svg[role=img]').length") == 7


def test_every_control_has_a_label_and_text_has_contrast_in_both_colours(browser, plain):
    unlabelled = "[...document.querySelectorAll('select, input:not([type=hidden])')].filter((field) => !field.labels.length).length"
    for is_dark in (False, True):
        page = browser.open_page(plain.as_uri(), is_dark=is_dark)

        assert page.evaluate(unlabelled) == 0
        assert page.evaluate(LEAST_CONTRAST) >= 4.5


LEAST_CONTRAST = """(() => {
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (colour) => colour.slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let part = element; part; part = part.parentElement) {
      const colour = read(getComputedStyle(part).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('main *:not(svg, svg *)')].filter((element) =>
    element.offsetParent && !element.disabled && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return Math.min(...texts.map((element) => {
    const [ink, paper] = [light(read(getComputedStyle(element).color)), light(behind(element))];
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  }));
})()"""


def test_on_paper_filters_are_left_out(browser, plain):
    page = browser.open_page(plain.as_uri(), is_dark=True)

    page.set_media("print")

    assert page.evaluate("getComputedStyle(document.getElementById('filters')).display") == "none"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_five_thousand_posts_stay_below_15_megabytes_and_can_be_filtered(browser, tmp_path):
    path = tmp_path / "report.html"
    answer = (
        "The author names Ada, a person, and Rome, a city in Italy, and was there with friends last night. " * 4
    )
    write_run_page(make_run(5000, answer=answer), path)

    page = browser.open_page(path.as_uri() + "#split=test&is.student=wrong")

    assert path.stat().st_size < 15_000_000
    assert page.evaluate(COUNT) == "500 of 5000 posts"
    assert page.list_problems() == []
