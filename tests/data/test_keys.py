"""Keys that are not read: those of other tools are refused where an annotation would be lost, and no others."""

import pytest

from cotpd.errors import DataError
from tests.builders import build_row

ENTITY = {"start": 0, "end": 3, "type": "PER"}
RELATION = {"head": 0, "tail": 1, "label": "None"}


def rename(row: dict, old: str, new: str) -> dict:
    return {new if key == old else key: value for key, value in row.items()}


@pytest.mark.parametrize(
    ("right", "foreign"),
    [
        *[("type", key) for key in ("label", "tag", "labels", "class", "category", "entity_group", "Type", "typ")],
        *[("start", key) for key in ("begin", "from", "startOffset", "start_char", "START", "strat")],
        *[("end", key) for key in ("stop", "to", "endOffset", "end_char", "End")],
    ],
)
def test_a_key_of_another_tool_in_an_entity_is_refused_with_the_right_one(load, write, right, foreign) -> None:
    write("train.jsonl", [build_row("a"), build_row("b", entities=[rename(ENTITY, right, foreign)], relations=[])])

    dataset = load()

    assert [post.id for post in dataset.posts["train"]] == ["a"]
    [refused] = dataset.quarantine
    assert refused.reason == f"unknown key {foreign!r} in an entity; did you mean {right!r}?"
    assert refused.remedy == f"Rename it to {right!r}."


@pytest.mark.parametrize(
    ("right", "foreign"),
    [
        ("label", "type"),
        ("label", "relation"),
        ("head", "from"),
        ("head", "subject"),
        ("tail", "to"),
        ("tail", "obj"),
    ],
)
def test_a_key_of_another_tool_in_a_relation_is_refused_with_the_right_one(load, write, right, foreign) -> None:
    write("train.jsonl", [build_row("a"), build_row("b", relations=[rename(RELATION, right, foreign)])])

    [refused] = load().quarantine

    assert refused.reason == f"unknown key {foreign!r} in a relation; did you mean {right!r}?"


def test_a_key_that_fits_nothing_is_refused_with_those_that_do(load, write) -> None:
    write("train.jsonl", [build_row("a"), build_row("b", entities=[ENTITY | {"colour": "red"}], relations=[])])

    [refused] = load().quarantine

    assert refused.reason == "unknown key 'colour' in an entity"
    assert "start, end, type, text" in refused.remedy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", []),
        ("ner_tags", [1, 0, 0]),
        ("nerTags", ["B-PER"]),
        ("tags", "B-PER O O"),
        ("spans", [ENTITY]),
        ("annotations", [{"result": []}]),
        ("entity_mentions", [ENTITY]),
        ("Entities", [ENTITY]),
        ("predictions", [ENTITY]),
        ("user_labels", [[0, 3, "PER"]]),
        ("relation", "/a"),
    ],
)
def test_a_row_that_keeps_its_annotation_under_another_key_is_refused(load, write, key, value) -> None:
    write("train.jsonl", [build_row("a"), build_row("b", entities=..., **{key: value})])

    [refused] = load().quarantine

    assert f"unknown key {key!r}" in refused.reason
    assert "entities" in refused.remedy


def test_other_keys_of_a_row_are_left_alone_and_named(load, write) -> None:
    extras = {
        "lang": "en",
        "user": {"id": 7},
        "created_at": "2026-01-01",
        "hashtags": ["x"],
        "user_mentions": ["@y"],
        "category": "news",
        "label_count": 3,
        "labelled": True,
        "lang_tag": "en",
        "annotator": "z",
    }
    write("train.jsonl", [build_row(1, **extras)])

    dataset = load()

    assert not dataset.quarantine
    assert any("created_at" in warning and "hashtags" in warning for warning in dataset.stats["warnings"])


def test_a_key_given_twice_is_refused(load, write) -> None:
    write(
        "train.jsonl", '{"id": "a", "text": "Ada"}\n{"id": "b", "text": "Ada", "entities": [], "entities": []}\n'
    )

    [refused] = load().quarantine

    assert refused.reason == "the key 'entities' is given twice"


def test_entities_without_types_beside_typed_ones_are_noted(load, write) -> None:
    write(
        "train.jsonl", [build_row(1, entities=[{"start": 0, "end": 3}, {"start": 11, "end": 17, "type": "LOC"}])]
    )

    assert "train: 1 entity has no type, which NER does not learn" in load().stats["warnings"]


def test_a_training_split_that_marks_nothing_is_noted(load, write) -> None:
    write("train.jsonl", [build_row(1, entities=..., relations=...)])

    assert any("there is nothing to learn" in warning for warning in load().stats["warnings"])


@pytest.mark.parametrize(
    ("task", "changes", "expected"),
    [
        ("ner", {"entities": [{"start": 0, "end": 3}], "relations": []}, r'an entity\'s "type" is nowhere'),
        ("ner", {"entities": ..., "relations": ...}, "Annotate it first"),
        ("re", {"relations": ...}, '"relations" with a "label" is nowhere\n  Set task: ner'),
    ],
)
def test_prepare_stops_where_the_labels_of_the_task_are_missing(
    write, tmp_path, monkeypatch, task: str, changes: dict, expected: str
) -> None:
    from cotpd.config import Params
    from steps.prepare import run

    monkeypatch.chdir(tmp_path)
    write("posts/train.jsonl", [build_row(1, **changes)])

    with pytest.raises(DataError, match=expected):
        run(Params.model_validate({"task": task, "data": {"path": "posts"}}))


@pytest.mark.parametrize(
    ("row", "remedy"),
    [
        ({"id": "1", "content": "Ada"}, "Rename 'content' to 'text'."),
        ({"id": "1", "Sentence": "Ada"}, "Rename 'Sentence' to 'text'."),
        ({"id": "1", "words": ["Ada"]}, "Rename 'words' to 'tokens'."),
        ({"id": "1"}, "Give the post's text, or its tokens."),
    ],
)
def test_a_text_under_another_key_is_named(load, write, row: dict, remedy: str) -> None:
    write("train.jsonl", [row])

    [refused] = load(require_train=False).quarantine

    assert (refused.reason, refused.remedy) == ("missing: text", remedy)
