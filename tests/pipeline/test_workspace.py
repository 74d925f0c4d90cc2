"""A workspace knows where the tables lie, and reads each of them once."""

from pathlib import Path

import pytest

from cotpd.data.records import Caption, Kind, Knowledge, Quarantined
from cotpd.data.tables import write_json, write_table
from cotpd.errors import DataError
from cotpd.pipeline.training_examples import (
    read_knowledge_examples,
    read_text_examples,
    read_unlabelled_examples,
    remove_knowledge,
)
from cotpd.pipeline.workspace import UNLABELLED, Workspace
from tests.builders import build_post


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with a labelled post, an unlabelled one, and knowledge of both."""
    workspace = Workspace(tmp_path)
    write_table(workspace.locate_posts("train"), [build_post("[Ada](PER) lives in [Rome](LOC)", id="a")])
    write_table(workspace.locate_posts(UNLABELLED), [build_post("[Bob](PER) waits", id="b")])
    captions = [Caption(id=id, image="x", caption=f"picture of {id}", backend="tags") for id in ("a", "b")]
    write_table(workspace.validated / "captions.jsonl", captions)
    write_table(workspace.validated / "knowledge.jsonl", [Knowledge(id="a", kind=Kind.NOUN, text="a name")])
    write_table(workspace.augmented / "augmented.jsonl", [])
    return workspace


def test_a_table_is_read_once_and_stays_read(workspace: Workspace) -> None:
    assert workspace.read_posts("train") is workspace.read_posts("train")
    assert workspace.read_captions() is workspace.read_captions()
    assert workspace.read_knowledge() is workspace.read_knowledge()


def test_a_split_that_the_data_set_lacks_has_no_posts(workspace: Workspace) -> None:
    assert workspace.read_posts("valid") == []
    assert [post.id for post in workspace.read_all_posts()] == ["a", "b"]


def test_a_table_that_no_step_has_written_is_named_with_its_remedy(workspace: Workspace) -> None:
    with pytest.raises(DataError, match=r"data/answers\.jsonl: there is no such table") as caught:
        workspace.read_answers()

    assert "dvc repro" in caught.value.remedy


def test_the_tables_may_lie_in_a_copy_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (tmp_path / "data").rename(copy)

    assert [post.id for post in Workspace(data=copy).read_posts("train")] == ["a"]


def test_quarantined_rows_come_in_the_order_of_the_steps(workspace: Workspace) -> None:
    for step in ("augmented", "validated", "prepared"):
        row = Quarantined(id="1", step=step, reason="too long")
        write_table(workspace.prepared.parent / step / "quarantine.jsonl", [row])

    steps = [row.step for row in workspace.read_quarantine()]

    assert steps == ["prepared", "validated", "augmented"]


def test_training_examples_carry_knowledge_and_text_examples_do_not(workspace: Workspace) -> None:
    [example] = read_knowledge_examples(workspace, "ner", "train")
    [text_example] = read_text_examples(workspace, "ner", "train")

    assert (example.caption, example.knowledge) == ("picture of a", {Kind.NOUN: "a name"})
    assert (text_example.caption, text_example.knowledge) == (None, {})
    assert remove_knowledge([example]) == [text_example]


def test_unlabelled_examples_have_no_gold(workspace: Workspace) -> None:
    [example] = read_unlabelled_examples(workspace, "ner")

    assert example.entities == ()
    assert example.caption == "picture of b"


def test_label_names_are_those_of_prepare(workspace: Workspace) -> None:
    write_json(workspace.prepared / "summary.json", {"types": ["PER", "LOC"], "labels": []})

    assert workspace.read_label_names("types") == ("PER", "LOC")
    with pytest.raises(DataError, match="labels is no list of names"):
        workspace.read_label_names("labels")
