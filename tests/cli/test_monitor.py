"""`cotpd monitor`, as a user and a scheduler call it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cotpd.cli.main import app
from cotpd.errors import DataError
from tests.builders import build_posts, write_jsonl

SHIFTED = {"text": "zzz qqq " * 12, "entities": []}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["monitor", *arguments], catch_exceptions=False)


@pytest.fixture
def project(students: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A project with prepared posts, and the option that names a student."""
    monkeypatch.chdir(tmp_path)
    for split in ("train", "valid"):
        rows = [post.model_dump(mode="json", exclude_defaults=True) for post in build_posts(60)]
        write_jsonl(tmp_path / f"data/prepared/{split}.jsonl", rows)
    write_jsonl(tmp_path / "same.jsonl", [{"text": post.text} for post in build_posts(240)])
    write_jsonl(tmp_path / "shifted.jsonl", [SHIFTED] * 240)
    return "--model", str(students["ner"])


def test_posts_like_those_of_training_are_no_worry_and_make_the_profile(project):
    result = run("same.jsonl", *project, "--save-reference", "profile.json")

    assert result.exit_code == 0
    assert "No need to worry" in result.stdout
    assert Path("monitor.html").is_file()
    assert Path("profile.json").is_file()


def test_a_shift_is_a_worry_by_exit_status_json_and_page(project):
    run("same.jsonl", *project, "--save-reference", "profile.json")

    result = run("shifted.jsonl", "--reference", "profile.json", "--json", "--page", "page.html")

    answer = json.loads(result.stdout)
    assert result.exit_code == 3
    assert answer["worry"]
    assert "length" in answer["why"]
    assert len(answer["do"]) == len(answer["why"])
    assert answer["headline"] in Path("page.html").read_text()


def test_a_window_that_is_too_small_is_neither_fine_nor_a_worry(project):
    write_jsonl(Path("small.jsonl"), [SHIFTED] * 20)

    with pytest.raises(DataError, match="the window has 20 posts"):
        run("small.jsonl", *project)

    assert not Path("monitor.html").exists()


def test_without_prepared_posts_the_remedy_is_named(project):
    Path("data/prepared/valid.jsonl").unlink()

    with pytest.raises(DataError, match="there are no valid posts"):
        run("same.jsonl", *project)
