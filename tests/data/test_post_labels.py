"""The label of a whole post: read, refused, warned of, and left out where another task has no use for it."""

from pathlib import Path
from typing import Any

import pytest

from cotpd.config import Params
from cotpd.data.records import Quarantined
from cotpd.data.tables import read_table
from cotpd.errors import DataError
from cotpd.pipeline.workspace import Workspace
from steps.prepare import run
from tests.builders import build_row, write_jsonl


def prepare(task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> Workspace:
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / "posts/train.jsonl", rows)
    kinds = {"augment": {"kinds": ["style"]}} if task == "sentiment" else {}
    run(Params.model_validate({"task": task, "data": {"path": "posts"}, **kinds}))
    return Workspace()


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("", "the label is empty"),
        (" \t", "the label is empty"),
        (3, "the label 3 is no word"),
        (True, "the label True is no word"),
        (["positive"], "the label ['positive'] is none of a whole post"),
        ({"name": "positive"}, "is none of a whole post"),
    ],
)
def test_a_label_that_is_no_word_refuses_its_row(load, write, label: Any, reason: str) -> None:
    write("train.jsonl", [build_row("a", label="positive"), build_row("b", label=label)])

    [refused] = load().quarantine

    assert reason in refused.reason
    assert refused.line == 2


@pytest.mark.parametrize("key", ["Label", "lable", "labels", "tag", "gold"])
def test_another_name_of_the_key_is_refused_with_the_right_one(load, write, key: str) -> None:
    write("train.jsonl", [build_row("a", label="positive"), build_row("b", **{key: "negative"})])

    [refused] = load().quarantine

    assert f"unknown key {key!r}; did you mean 'label'?" in refused.reason


@pytest.mark.parametrize("key", ["sentiment", "category", "Polarity"])
def test_a_key_that_may_be_another_tasks_own_is_named_where_no_post_has_a_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    with pytest.raises(DataError, match=f'"label" is nowhere\\n.*Rename {key!r} to .label.'):
        prepare("sentiment", tmp_path, monkeypatch, [build_row("a", **{key: "positive"})])


def test_labels_that_differ_in_case_or_blanks_alone_are_warned_of(load, write) -> None:
    labels = ("Positive", "positive", "very  good", "very good", "bad")
    write("train.jsonl", [build_row(str(number), label=label) for number, label in enumerate(labels)])

    warnings = "\n".join(load().stats["warnings"])

    assert "'Positive' and 'positive' differ in letter case or blanks alone" in warnings
    assert "'very  good' and 'very good' differ" in warnings
    assert "'bad'" not in warnings


def test_a_post_without_a_label_is_set_aside_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [build_row("a", label="positive"), build_row("b"), build_row("c", label=None)]

    workspace = prepare("sentiment", tmp_path, monkeypatch, rows)

    assert [post.id for post in workspace.read_posts("train")] == ["a"]
    refused = read_table(workspace.prepared / "quarantine.jsonl", Quarantined)
    assert [(row.id, row.line, row.reason) for row in refused] == [
        ("b", 2, "the post has no label"),
        ("c", 3, "the post has no label"),
    ]


@pytest.mark.parametrize("task", ["ner", "re"])
def test_other_tasks_write_the_same_posts_with_and_without_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    plain = [build_row(str(number)) for number in range(3)]
    labelled = [row | {"label": "positive"} for row in plain]

    first = prepare(task, tmp_path, monkeypatch, plain).locate_posts("train").read_bytes()
    second = prepare(task, tmp_path, monkeypatch, labelled).locate_posts("train").read_bytes()

    assert first == second


def test_an_entity_swap_is_refused_where_no_mention_is_labelled() -> None:
    with pytest.raises(
        ValueError, match=r"entity swaps a labelled mention .* task sentiment labels none: take entity out"
    ):
        Params.model_validate({"task": "sentiment"})
