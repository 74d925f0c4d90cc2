"""The page of a comparison in a real browser: nothing is executed, nothing overflows on a phone, nothing is logged."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cotpd.monitoring.drift_page import write_page
from cotpd.monitoring.drift_verdict import judge_window
from tests.monitoring.simulation import build_profile, build_window, draw_posts

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
HOSTILE = "</h1><script>document.title='OWNED'</script><img src=x onerror=\"document.title='OWNED'\">\x1b]0;x\x07"
PHONE = 360  # pixels

# the page in a frame of a phone's width, whose document this one may measure
FRAME = """<!doctype html><title>waiting</title><iframe id="f" style="width: {width}px; height: 700px; border: 0" srcdoc="{page}">
</iframe><script>
document.getElementById("f").onload = () => {{
  const page = document.getElementById("f").contentDocument, root = page.documentElement;
  document.title = page.title === "OWNED" ? "OWNED" : "overflow " + (root.scrollWidth - root.clientWidth);
}};
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a window whose name, types and model are hostile."""
    posts = [
        post.model_copy(
            update={"types": {HOSTILE if name == "PER" else name: count for name, count in post.types.items()}}
        )
        for post in draw_posts(300, seed=3, unseen=0.4)
    ]
    verdict = judge_window(
        build_window(posts, notes={"model": HOSTILE, "version": HOSTILE, "digest": "other"}),
        build_profile(draw_posts(300, seed=4)),
    )
    path = tmp_path_factory.mktemp("page") / "monitor.html"
    write_page(verdict, HOSTILE, path)
    return path


def test_hostile_names_stand_in_the_page_as_text(page: Path):
    text = page.read_text("utf-8")

    assert html.escape("<script>document.title='OWNED'</script>", quote=True).replace("&#x27;", "&#39;") in text
    assert "<script" not in text
    assert "<img" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_the_page_names_no_address_outside_it(page: Path):
    assert re.findall(r'(?:href|src)="(?!data:)[^"]*"', page.read_text("utf-8")) == []


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the path; CI installs one")
@pytest.mark.slow
def test_a_phone_shows_the_page_without_overflow_scripts_or_complaints(page: Path, tmp_path: Path):
    frame = tmp_path / "frame.html"
    frame.write_text(FRAME.format(width=PHONE, page=html.escape(page.read_text("utf-8"))), "utf-8")
    command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr"]

    browser = subprocess.run(
        [*command, "--virtual-time-budget=5000", "--dump-dom", frame.as_uri()],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip

    assert "<title>overflow 0</title>" in browser.stdout
    assert "CONSOLE" not in browser.stderr
