"""Corrected labels laid over a data set: which are applied, and why each of the others is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cotpd.data.correction_file import (
    build_correction,
    read_corrections,
    write_corrections,
)
from cotpd.data.correction_import import import_corrections
from cotpd.data.correction_merge import merge_corrections
from cotpd.data.label_format import compute_text_digest, format_labels
from cotpd.data.load import Dataset
from cotpd.data.records import Entity, replace_entities
from cotpd.errors import DataError
from tests.builders import build_post, build_row

ADA = {"start": 0, "end": 3, "type": "PER"}
LONDON = {"start": 11, "end": 17, "type": "LOC"}
TEXT = "Ada visits London again (3)"


@pytest.fixture
def correct(load, write, good) -> Callable[..., Dataset]:
    """Load the good data set with corrections, whose rows are about post 3 of test unless they say otherwise."""

    def _mend(*rows: Any, **params: Any) -> Dataset:
        complete = [{"id": "3", "split": "test", **row} if isinstance(row, dict) else row for row in rows]
        lines = [row if isinstance(row, str) else json.dumps(row) for row in complete]
        write("fixed.jsonl", "\n".join(lines) + "\n")
        return load(corrections="fixed.jsonl", **params)

    return _mend


def list_mentions(dataset: Dataset, split: str = "test") -> list[tuple[str, str | None]]:
    post = dataset.posts[split][0]
    return [(post.get_mention(entity), entity.type) for entity in post.entities]


def test_a_correction_replaces_the_labels_of_its_post_alone(correct) -> None:
    dataset = correct({"entities": [ADA | {"type": "LOC"}], "text_sha256": compute_text_digest(TEXT)})

    assert list_mentions(dataset) == [("Ada", "LOC")]
    assert list_mentions(dataset, "train") == [("Ada", "PER"), ("London", "LOC")]
    assert dataset.quarantine == []


def test_a_digest_may_be_written_in_capitals(correct) -> None:
    dataset = correct({"entities": [], "text_sha256": compute_text_digest(TEXT).upper()})

    assert dataset.quarantine == []


def test_corrected_posts_are_counted_by_split_and_warned_of_where_they_are_tested_on(correct) -> None:
    dataset = correct({"entities": [ADA, LONDON | {"type": "PER"}]}, {"id": "1", "split": "train", "entities": []})

    counts = dataset.stats["corrections"]
    assert (counts["posts"], counts["by_split"], counts["relations_left_out"]) == (2, {"train": 1, "test": 1}, 1)
    assert [line for line in dataset.stats["warnings"] if "corrected" in line] == [
        "test: 1 post has corrected labels: its scores do not compare with those on the published ones"
    ]


def test_the_labels_of_the_data_set_are_kept_beside_the_corrected_ones(correct) -> None:
    dataset = correct({"entities": []})

    assert [format_labels(post)["entities"] for post in dataset.uncorrected["test"]] == [[ADA, LONDON]]


def test_a_relation_can_be_corrected_alone(correct) -> None:
    dataset = correct(
        {"id": "1", "split": "train", "relations": []},
        {"relations": [{"head": 1, "tail": 0, "label": "None"}]},
    )

    pairs = [(relation.head, relation.tail) for relation in dataset.posts["test"][0].relations]
    assert pairs == [(1, 0)]
    assert dataset.posts["train"][0].relations == ()


def test_relations_follow_their_mentions_and_are_counted_where_they_cannot(correct) -> None:
    dataset = correct({"entities": [{"start": 0, "end": 10, "type": "PER"}, LONDON]})

    assert [(relation.head, relation.tail) for relation in dataset.posts["test"][0].relations] == [(0, 1)]
    assert dataset.stats["corrections"]["relations_left_out"] == 0


def test_two_mentions_that_become_one_have_no_relation() -> None:
    post = build_post("[Ada](PER) [King](PER) sings", relations=[(0, 1, "peer")])

    joined = replace_entities(post, [Entity(start=0, end=2, type="PER")])

    assert joined.relations == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "9", "entities": []}, "there is no post '9' in test"),
        ({"split": "train", "entities": []}, "stands in test, not in train"),
        ({"split": "dev", "entities": []}, "the split is 'dev'"),
        ({"entities": [], "text_sha256": "00"}, "the text of the post is another"),
        ({"entities": [ADA | {"end": 99}]}, "does not begin and end with a word"),
        ({"entities": [ADA | {"end": 2}]}, "does not begin and end with a word"),
        ({"entities": [ADA | {"text": "Bob"}]}, "marks 'Ada', not 'Bob'"),
        ({"entities": [ADA | {"type": "PERSON"}]}, "there is no type 'PERSON'"),
        ({"entities": [{"start": 0, "end": 3}]}, "an entity has no type"),
        ({"entities": [ADA, ADA | {"end": 10}]}, "entities overlap"),
        ({"entities": [ADA, LONDON]}, "are the corrected ones already"),
        ({"relations": [{"head": 0, "tail": 1, "label": "likes"}]}, "there is no label 'likes'"),
        ({"relations": [{"head": 0, "tail": 5, "label": "None"}]}, "does not join two of 2 entities"),
        ({}, "it corrects nothing"),
        ({"entitys": []}, "did you mean 'entities'"),
        ({"entities": {}}, "entities is not a list"),
        ({"entities": [], "by": 3}, "by is not a string"),
        ({"id": 1.5, "entities": []}, "is a float"),
        ('{"id": "3"', "not JSON"),
        ("[1]", "the line holds no object"),
    ],
)
def test_a_correction_that_does_not_fit_is_set_aside_with_its_line_and_reason(correct, row, reason: str) -> None:
    dataset = correct(row)

    assert list_mentions(dataset) == [("Ada", "PER"), ("London", "LOC")]
    assert [(problem.file, problem.line) for problem in dataset.quarantine] == [("fixed.jsonl", 1)]
    assert reason in dataset.quarantine[0].reason
    assert dataset.stats["corrections"]["refused"] == 1


def test_of_two_equal_corrections_the_second_is_set_aside(correct) -> None:
    dataset = correct({"entities": [ADA]}, {"entities": [ADA], "by": "another"})

    assert list_mentions(dataset) == [("Ada", "PER")]
    assert [problem.line for problem in dataset.quarantine] == [2]


def test_corrections_that_contradict_each_other_are_both_set_aside(correct) -> None:
    dataset = correct({"entities": [ADA]}, {"entities": [LONDON]})

    assert list_mentions(dataset) == [("Ada", "PER"), ("London", "LOC")]
    assert [problem.line for problem in dataset.quarantine] == [1, 2]


def test_a_missing_file_of_corrections_is_an_error_that_names_the_parameter(load, good) -> None:
    with pytest.raises(
        DataError, match=r"fixed\.jsonl: there is no such file of corrections\n.*data\.corrections"
    ):
        load(corrections="fixed.jsonl")


def test_a_file_of_corrections_named_after_a_split_is_no_split(load, write, good) -> None:
    write("test_fixed.jsonl", [{"id": "3", "split": "test", "entities": []}])

    dataset = load(corrections="test_fixed.jsonl")

    assert (len(dataset.posts["test"]), list_mentions(dataset)) == (1, [])


def test_a_limit_counts_only_the_posts_that_are_used(correct) -> None:
    dataset = correct({"id": "2", "split": "train", "entities": []}, {"entities": []}, limit=1)

    assert dataset.stats["corrections"]["by_split"] == {"test": 1}
    assert [post.entities for post in dataset.beyond_limit] == [()]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    post = build_post("[Ada](PER) sees [Rome](LOC) 🙂", relations=[(0, 1, "lives_in")])
    corrected = replace_entities(post, [Entity(start=2, end=3, type="ORG"), Entity(start=0, end=1, type="PER")])
    correction = build_correction("test", post, corrected, by="mk", reason="a club")
    assert correction is not None

    write_corrections(tmp_path / "fixed.jsonl", [correction])
    corrections, refused = read_corrections(tmp_path / "fixed.jsonl", "fixed.jsonl")

    assert refused == []
    assert [row.model_copy(update={"file": "", "line": 0}) for row in corrections] == [correction]


def test_the_same_labels_are_no_correction() -> None:
    post = build_post("[Ada](PER) sings")

    assert build_correction("test", post, post) is None


def test_files_that_agree_are_merged(tmp_path: Path, write) -> None:
    first = write("a.jsonl", [{"id": "1", "split": "test", "entities": []}])
    second = write("b.jsonl", [{"id": str(number), "split": "test", "entities": []} for number in (1, 2)])

    merged = merge_corrections([read_corrections(path, path.name)[0] for path in (first, second)])

    assert [row.id for row in merged.corrections] == ["1", "2"]
    assert (merged.conflicts, merged.repeated) == ([], 1)


@pytest.mark.parametrize(("prefer", "labels"), [(None, []), ("first", [[]]), ("last", [[ADA]])])
def test_files_that_differ_about_a_post_are_merged_only_by_preference(write, prefer, labels) -> None:
    first = write("a.jsonl", [{"id": "1", "split": "test", "entities": [], "by": "ann"}])
    second = write("b.jsonl", [{"id": "1", "split": "test", "entities": [ADA]}])

    merged = merge_corrections([read_corrections(path, path.name)[0] for path in (first, second)], prefer)

    assert [row.entities for row in merged.corrections] == labels
    conflicts = ["post 1 in test is corrected in different ways: a.jsonl:1 (ann), b.jsonl:1"]
    assert [conflict.describe() for conflict in merged.conflicts] == ([] if prefer else conflicts)


@pytest.mark.parametrize(("label", "corrected", "refused"), [("glad", "glad", 0), ("angry", "sad", 1)])
def test_the_label_of_a_post_is_corrected_to_one_that_the_data_set_has(
    load, write, label, corrected, refused
) -> None:
    write("train.jsonl", [build_row(1, label="glad"), build_row(2, label="sad")])
    write("test.jsonl", [build_row(3, label="sad")])
    write("fixed.jsonl", [{"id": "3", "split": "test", "label": label}])

    dataset = load(corrections="fixed.jsonl")

    assert dataset.posts["test"][0].label == corrected
    assert len(dataset.quarantine) == refused


def test_a_post_that_comes_back_without_its_label_is_refused_with_that_reason(load, write) -> None:
    rows = [{"id": name, "text": f"Ada waves {name}", "label": label} for name, label in (("a", "x"), ("b", "y"))]
    write("train.jsonl", rows)
    dataset = load()
    first, second = dataset.posts["train"]

    imported = import_corrections(
        dataset, [first.model_copy(update={"label": None}), second.model_copy(update={"label": "x"})], "label"
    )

    assert [(row.id, row.label) for row in imported.corrections] == [("b", "x")]
    assert [problem for problem in imported.problems if "came back without a label" in problem]
