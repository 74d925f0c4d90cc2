"""The steps that handle pictures: what makes them run again, what they say, what a limit changes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from PIL import Image

from cotpd.config import Params, load_params
from cotpd.data.records import Augmented, Caption, Post
from cotpd.data.tables import read_table
from steps import augment, caption, prepare


@pytest.fixture
def params(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Params]:
    """Parameters as they ship, of a project in the test's own folder; keywords are the data section's."""
    monkeypatch.chdir(tmp_path)
    shipped = load_params(root / "params.yaml")
    llm = shipped.llm.model_copy(
        update={"recorded": str(root / "sample/ledger.jsonl"), "ledger": str(tmp_path / "ledger.db")}
    )

    def make(**data: object) -> Params:
        return shipped.model_copy(update={"data": shipped.data.model_copy(update=data), "llm": llm})

    return make


@pytest.fixture
def posts(tmp_path: Path) -> Callable[[int], Path]:
    """Write a data set of so many posts, each with its own picture's name, and return its folder."""

    def make(count: int) -> Path:
        (tmp_path / "set/images").mkdir(parents=True)
        entities = [{"start": 0, "end": 3, "type": "PER"}]
        rows = [
            {"id": str(n), "text": f"Ada walks {n}", "image": f"images/{n}.png", "entities": entities}
            for n in range(count)
        ]
        (tmp_path / "set/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / "set"

    return make


def read_digests() -> list[str | None]:
    return [post.image_digest for post in read_table("data/prepared/train.jsonl", Post)]


def test_a_replaced_and_a_swapped_picture_change_their_prepared_rows(
    params: Callable[..., Params], posts: Callable[[int], Path]
) -> None:
    folder = posts(3)
    for n in range(3):
        Image.new("RGB", (20 + n, 20)).save(folder / f"images/{n}.png")
    prepare.run(params(path=str(folder)))
    first = read_digests()
    assert len({*first, None}) == 4

    (folder / "images/0.png").rename(folder / "images/x.png")
    (folder / "images/1.png").rename(folder / "images/0.png")
    (folder / "images/x.png").rename(folder / "images/1.png")
    Image.new("RGB", (90, 20)).save(folder / "images/2.png")
    prepare.run(params(path=str(folder)))

    swapped = read_digests()
    assert swapped[:2] == [first[1], first[0]]
    assert swapped[2] not in {*first, None}


@pytest.fixture
def linked_project(
    root: Path, tmp_path: Path, posts: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A DVC project whose pictures lie behind a link; return the picture's path."""
    folder = posts(1)
    (folder / "images").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "images").symlink_to(tmp_path / "elsewhere")
    values = yaml.safe_load((root / "params.yaml").read_text())
    values["data"] |= {"path": "set", "pictures": "images"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for name in ("dvc.yaml", "steps", "cotpd"):
        (tmp_path / name).symlink_to(root / name)
    monkeypatch.chdir(tmp_path)
    run_dvc(root, "init", "--no-scm", "--quiet")
    return tmp_path / "elsewhere/0.png"


def run_dvc(root: Path, *arguments: str) -> str:
    """Run dvc in the current folder, with this tree's code, and return its output."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(root), "DVC_NO_ANALYTICS": "1", "PATH": path}
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


@pytest.mark.slow
def test_dvc_notices_a_picture_that_was_replaced_behind_the_link_that_the_parameter_names(
    root: Path, linked_project: Path
) -> None:
    Image.new("RGB", (20, 20)).save(linked_project)
    run_dvc(root, "repro", "prepare")
    (before,) = read_digests()
    assert "up to date" in run_dvc(root, "status", "prepare")

    Image.new("RGB", (90, 20)).save(linked_project)
    run_dvc(root, "repro", "prepare")

    (after,) = read_digests()
    assert None not in (before, after)
    assert before != after


def test_prepare_says_how_many_pictures_are_missing_and_where_it_looked(
    params: Callable[..., Params], posts: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = posts(4)

    prepare.run(params(path=str(folder)))

    shown = capsys.readouterr().err
    assert "4 of 4 pictures are not at hand" in shown
    assert str(folder / "images") in shown


def test_caption_says_how_many_problems_there_are_in_all_and_keeps_each(
    params: Callable[..., Params], posts: Callable[[int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    values = params(path=str(posts(27)))
    prepare.run(values)
    capsys.readouterr()

    caption.run(values)

    shown = capsys.readouterr().err
    assert shown.count("there is no such picture") == caption.SHOWN
    assert "and 22 other problems" in shown
    assert "data/captions.jsonl" in shown
    assert all(row.problem for row in read_table("data/captions.jsonl", Caption))


@pytest.mark.parametrize("limit", [1, 20, 57])
def test_a_limit_on_the_sample_changes_no_question_so_that_the_recorded_answers_suffice(
    params: Callable[..., Params], root: Path, limit: int
) -> None:
    def read_augmented(limit: int | None) -> list[Augmented]:
        values = params(path=str(root / "sample"), limit=limit)
        prepare.run(values)
        augment.run(values.model_copy(update={"llm": values.llm.model_copy(update={"retries": 0})}))
        return read_table("data/augmented/augmented.jsonl", Augmented)

    limited, complete = read_augmented(limit), read_augmented(None)

    sources = [post.id for post in read_table("data/prepared/train.jsonl", Post)][:limit]
    assert limited == [row for row in complete if row.of in sources]
