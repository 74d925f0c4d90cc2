"""The page on suspected gold errors in a real browser: its keys, the file that comes out, and hostile posts."""

import json
from pathlib import Path

import pytest

from cotpd.data.correction_file import read_corrections
from cotpd.data.corrections import load_corrections
from cotpd.data.label_format import format_entity
from cotpd.data.records import Entity, Post
from cotpd.data.split_checks import Inventory
from cotpd.evaluation.gold_errors import Suspect
from cotpd.evaluation.gold_errors_page import render_suspects_page, write_suspects_page
from tests.browser import Browser, Page, needs_browser
from tests.builders import build_post

HOSTILE = "\U0001f680 <img src=x onerror=document.title='OWNED'> [Ada](PER) </script><script>document.title='OWNED'</script> \u202e ${x}"
POSTS = [
    build_post(HOSTILE, id="</script>\u2028'\"", file="x"),
    build_post("\U0001f680 [Ruth](PER) left [Boston](ORG) for New York", id="2"),
]


def build_suspect(post: Post, rank: int, removed: list[Entity], added: list[Entity]) -> Suspect:
    gold = [format_entity(post, entity) for entity in post.entities]
    out = [format_entity(post, entity) for entity in removed]
    new = [format_entity(post, entity) for entity in added]
    return Suspect(
        id=post.id,
        split="test",
        rank=rank,
        score=0.9,
        text=post.text,
        gold=gold,
        suggested=sorted([*(label for label in gold if label not in out), *new], key=lambda label: label["start"]),
        agreeing=["student", "baseline"],
        reason="student, baseline: <b>other</b>",
        example=post.id,
        removed=out,
        added=new,
    )


def list_suspects() -> list[Suspect]:
    """Return three suspects: one of the hostile post, two of the other."""
    hostile, plain = POSTS
    _ruth, boston = plain.entities
    return [
        build_suspect(hostile, 1, [*hostile.entities], []),
        build_suspect(plain, 2, [boston], [boston.model_copy(update={"type": "LOC"})]),
        build_suspect(plain, 3, [], [Entity(start=5, end=7, type="LOC")]),
    ]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def address(tmp_path: Path) -> str:
    write_suspects_page(list_suspects(), {"test": POSTS}, tmp_path / "page.html")
    return (tmp_path / "page.html").as_uri()


def send_keys(page: Page, *keys: str) -> None:
    for key in keys:
        page.evaluate(
            f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}}))"
        )


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("is_dark", [False, True])
def test_hostile_posts_stay_text_and_nothing_overflows_on_a_phone(browser, address, tmp_path, is_dark) -> None:
    page = browser.open_page(address, width=360, is_dark=is_dark)

    text = page.evaluate("document.querySelector('#s0 .post').textContent")

    assert text.startswith("\U0001f680 <img src=x onerror=")
    assert page.evaluate("document.querySelectorAll('#suspects img, #suspects script, #suspects b b').length") == 0
    assert page.evaluate("[...document.querySelectorAll('#s0 mark')].map((mark) => mark.firstChild.data)") == [
        "Ada"
    ]
    assert page.evaluate("document.title") == "Suspected gold errors"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.list_problems() == []
    assert page.list_requested_addresses() == [address]
    page.save_screenshot(tmp_path / "page.png")


@needs_browser
@pytest.mark.slow
def test_one_key_decides_and_the_accepted_come_out_as_corrections_that_fit(browser, address, tmp_path) -> None:
    page = browser.open_page(address)
    page.evaluate("localStorage.clear(), document.getElementById('by').value = 'mk'")

    send_keys(page, "r", "a", "a")

    assert page.evaluate("document.getElementById('counts').textContent") == "2 accepted, 1 rejected, 0 undecided"
    (tmp_path / "fixed.jsonl").write_text(page.evaluate("buildCorrections()"), "utf-8")
    (row,), refused = read_corrections(tmp_path / "fixed.jsonl", "fixed.jsonl")
    assert (row.id, row.by, refused) == ("2", "mk", [])
    inventory = Inventory(("LOC", "ORG", "PER"), ())
    corrections = load_corrections(tmp_path / "fixed.jsonl", "fixed.jsonl", {"test": POSTS}, inventory)
    corrected = corrections.posts["test"][1]
    mentions = [(corrected.get_mention(entity), entity.type) for entity in corrected.entities]
    assert mentions == [("Ruth", "PER"), ("Boston", "LOC"), ("New York", "LOC")]
    assert page.list_problems() == []


@needs_browser
@pytest.mark.slow
def test_a_decision_can_be_taken_back_and_survives_the_tab(browser, address) -> None:
    page = browser.open_page(address)
    page.evaluate("localStorage.clear(), decisions = {}, refresh()")
    send_keys(page, "a", "a", "k", "u")

    again = browser.open_page(address)

    assert again.evaluate("document.getElementById('counts').textContent") == "1 accepted, 0 rejected, 2 undecided"


@needs_browser
@pytest.mark.slow
def test_an_accepted_relation_changes_its_own_label_alone(browser, tmp_path) -> None:
    post = build_post("[Ada](PER) [Bo](PER)", id="7", relations=[(0, 1, "peer"), (1, 0, "None")])
    suspect = Suspect(
        id="7",
        split="valid",
        rank=1,
        score=0.8,
        text=post.text,
        gold=["None"],
        suggested=["peer"],
        agreeing=["student"],
        reason="peer instead of None",
        example="7#1",
        removed=["None"],
        added=["peer"],
        pair=[{"start": 4, "end": 6}, {"start": 0, "end": 3}],
    )
    write_suspects_page([suspect], {"valid": [post]}, tmp_path / "page.html")
    page = browser.open_page((tmp_path / "page.html").as_uri())

    send_keys(page, "a")

    correction = json.loads(page.evaluate("buildCorrections()"))
    assert [relation["label"] for relation in correction["relations"]] == ["peer", "peer"]
    assert "entities" not in correction


def test_a_page_without_suspects_says_so() -> None:
    page = render_suspects_page([], {"test": POSTS})

    assert "0 labels of no split" in page
