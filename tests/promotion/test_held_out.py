"""Held-out posts come from a prepared table, a folder of tables, or a data set of any format."""

from pathlib import Path

import pytest

from cotpd.data.tables import write_json, write_table
from cotpd.errors import DataError
from cotpd.files import compute_sha256
from cotpd.promotion.held_out import read_held_out
from tests.builders import build_row, format_jsonl, write_jsonl
from tests.promotion.gate_project import build_held_out


@pytest.fixture
def prepared(tmp_path):
    """A folder as the prepare step leaves it."""
    write_json(tmp_path / "summary.json", {})
    write_table(tmp_path / "test.jsonl", build_held_out(3))
    return tmp_path


def test_a_prepared_table_has_the_digest_of_its_file(prepared):
    by_file, by_folder = read_held_out(prepared / "test.jsonl"), read_held_out(prepared)

    assert by_file == by_folder
    assert len(by_file.posts) == 3
    assert by_file.sha256 == compute_sha256(prepared / "test.jsonl")


def test_a_prepared_table_may_lie_anywhere(tmp_path):
    write_table(tmp_path / "posts.jsonl", build_held_out(2))

    assert len(read_held_out(tmp_path / "posts.jsonl").posts) == 2


def test_of_a_data_set_the_test_split_is_taken_and_refused_rows_are_counted(tmp_path):
    write_jsonl(tmp_path / "train.jsonl", [build_row("1")])
    bad = build_row("4", text="")
    write_jsonl(tmp_path / "test.jsonl", [build_row("2"), build_row("3"), bad])

    held_out = read_held_out(tmp_path)

    assert [post.id for post in held_out.posts] == ["2", "3"]
    assert held_out.refused == 1


def test_a_file_of_annotated_posts_is_taken_whole_whatever_its_name(tmp_path):
    write_jsonl(tmp_path / "last-week.jsonl", [build_row("1"), build_row("2")])

    assert len(read_held_out(tmp_path / "last-week.jsonl").posts) == 2


def test_the_digest_of_a_data_set_is_that_of_its_posts_and_not_of_its_place(tmp_path):
    write_jsonl(tmp_path / "a/posts.jsonl", [build_row("1")])
    write_jsonl(tmp_path / "b/posts.jsonl", [build_row("1")])
    write_jsonl(tmp_path / "c/posts.jsonl", [build_row("1", text="Ada visits London again (2)")])

    digests = [read_held_out(tmp_path / name / "posts.jsonl").sha256 for name in "abc"]

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("name", ["nowhere", "nowhere.jsonl"])
def test_a_path_that_is_not_there_is_named(tmp_path, name):
    with pytest.raises(DataError, match=f"{name}: there is no such"):
        read_held_out(tmp_path / name)


def test_a_data_set_without_a_test_split_is_refused_with_its_splits(tmp_path):
    for split in ("train", "valid"):
        write_jsonl(tmp_path / f"{split}.jsonl", [build_row(split)])

    with pytest.raises(DataError, match="no test split among train, valid"):
        read_held_out(tmp_path)


@pytest.mark.parametrize("content", ["", "\n"])
def test_an_empty_table_is_refused(prepared, content):
    (prepared / "test.jsonl").write_text(content)

    with pytest.raises(DataError, match=r"test\.jsonl: there is no post in it"):
        read_held_out(prepared)


def test_a_prepared_folder_without_the_split_says_what_to_do(prepared):
    (prepared / "test.jsonl").unlink()

    with pytest.raises(DataError, match="dvc repro prepare, or name other annotated posts"):
        read_held_out(prepared)


def test_a_damaged_line_is_named(prepared):
    with (prepared / "test.jsonl").open("a") as table:
        table.write(format_jsonl([{"id": "x"}]))

    with pytest.raises(DataError, match=r"test\.jsonl:4: not a Post"):
        read_held_out(prepared)


def test_posts_without_the_tasks_annotation_are_refused(tmp_path):
    rows = [build_row("1", entities=[], relations=[])]
    held_out = read_held_out(write_jsonl(tmp_path / "test.jsonl", rows))

    with pytest.raises(DataError, match="1 post, none annotated for task re"):
        held_out.build_examples("re")


def test_a_project_that_is_not_prepared_is_told_to_prepare(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no such table.*\n.*dvc repro prepare"):
        read_held_out(tmp_path / "data/prepared/test.jsonl")
