"""Data Docs: what was checked can be looked at, and the same tables give the same pages."""

from pathlib import Path

from cotpd.data.records import Caption
from cotpd.expectations import validate_answers, validate_captions
from cotpd.expectations.docs import build_docs, make_context
from cotpd.expectations.params import ValidateParams
from tests.expectations.samples import GOOD, POSTS, build_answer


def read_pages(folder: Path) -> dict[str, str]:
    """Write the pages on some captions and answers, and return their texts by relative path."""
    context, lenient = make_context(), ValidateParams(max_failed_share=1.0)
    captions = [
        Caption(id=post.id, image="i.jpg", caption="a woman at a window", backend="tags") for post in POSTS
    ]
    answers = [build_answer(GOOD, post_id="1"), build_answer("I cannot say.", post_id="2")]
    validate_captions(captions, POSTS, lenient, context)
    validate_answers(answers, POSTS, lenient, context)
    index = build_docs(context, folder)
    assert index == folder / "index.html"
    return {str(page.relative_to(folder)): page.read_text("utf-8") for page in folder.rglob("*.html")}


def test_the_same_tables_give_the_same_pages_and_old_ones_go(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/of-an-earlier-run.html").write_text("old")

    first, second = read_pages(tmp_path / "one"), read_pages(tmp_path / "two")

    assert first == second


def test_every_suite_has_its_pages_and_none_loads_a_tracker(tmp_path):
    pages = read_pages(tmp_path)

    results = {name: page for name, page in pages.items() if name.startswith("validations/")}
    assert sorted(name.split("/")[1] for name in results) == ["answers", "captions"]
    assert any("I cannot say." in page for page in results.values())
    for name, page in pages.items():
        assert "great-expectations-web-assets" not in page
        for source in list_local_sources(page):
            assert ((tmp_path / name).parent / source).resolve().is_file(), (name, source)


def list_local_sources(page: str) -> list[str]:
    """Return the relative paths that a page loads from."""
    sources = [part.split('"')[0] for part in page.split('src="')[1:]]
    return [source for source in sources if source and not source.startswith("http")]
