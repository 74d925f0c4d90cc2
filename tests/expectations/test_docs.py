"""Data Docs: what was checked can be looked at, and the same tables give the same pages."""

from pathlib import Path

from cotpd.data.records import Caption
from cotpd.expectations import validate_answers, validate_captions
from cotpd.expectations.docs import build_docs, make_context
from cotpd.expectations.params import ValidateParams

from .test_check import GOOD, POSTS, answer


def pages(folder: Path) -> dict[str, str]:
    context, lenient = make_context(), ValidateParams(max_failed_share=1.0)
    captions = [
        Caption(id=post.id, image="i.jpg", caption="a woman at a window", backend="tags") for post in POSTS
    ]
    validate_captions(captions, POSTS, lenient, context)
    validate_answers([answer(GOOD, name="1"), answer("I cannot say.", name="2")], POSTS, lenient, context)
    first = build_docs(context, folder)
    assert first == folder / "index.html"
    return {str(page.relative_to(folder)): page.read_text("utf-8") for page in folder.rglob("*.html")}


def test_every_suite_has_its_pages_without_clock_chance_or_tracker(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/of-an-earlier-run.html").write_text("old")
    one, two = pages(tmp_path / "one"), pages(tmp_path / "two")
    assert one == two
    results = {name: page for name, page in one.items() if name.startswith("validations/")}
    assert sorted(name.split("/")[1] for name in results) == ["answers", "captions"]
    assert any("I cannot say." in page for page in results.values())
    for name, page in one.items():
        assert "great-expectations-web-assets" not in page
        for part in page.split('src="')[1:]:
            source = part.split('"')[0]
            if source and not source.startswith("http"):
                assert ((tmp_path / "one" / name).parent / source).resolve().is_file(), (name, source)
