"""Several annotations of a post, and what tools export beside mentions: remarks, choices, pictures."""

import json
from typing import Any

import pytest

from tests.data.tool_rows import TEXT, build_task, list_mentions, mark


@pytest.mark.parametrize(
    ("annotators", "mentions"),
    [
        ("first", [("London", "LOC")]),
        ("latest", [("Ada", "PER"), ("London", "LOC")]),
        ("agreed", [("London", "LOC")]),
    ],
)
def test_of_several_annotators_the_chosen_one_is_read(load, write, annotators: str, mentions: list) -> None:
    later = [mark(0, 3, "PER"), mark(13, 19, "LOC")]
    write("train.json", json.dumps([build_task(later, [mark(13, 19, "LOC")])]))

    dataset = load(annotators=annotators)

    assert list_mentions(dataset) == [mentions]


def test_what_annotators_do_not_agree_on_is_counted_whatever_it_is(load, write) -> None:
    def choose(label: str) -> dict[str, Any]:
        return {"type": "choices", "from_name": "class", "value": {"choices": [label]}}

    marks = [mark(0, 3, "PER"), mark(13, 19, "LOC")]
    relation = {"type": "relation", "from_id": "0PER", "to_id": "13LOC", "labels": ["visits"]}
    write("train.json", json.dumps([build_task([*marks, relation, choose("pos")], [*marks, choose("neg")])]))

    dataset = load(annotators="agreed")

    assert [(len(post.entities), post.relations, post.label) for post in dataset.posts["train"]] == [(2, (), None)]
    assert "1 post loses its label: the annotators chose different ones" in dataset.stats["warnings"][0]
    assert "1 relation was not marked by all annotators" in " ".join(dataset.stats["warnings"])


def test_an_object_for_a_label_by_one_of_two_annotators_costs_its_mention(load, write) -> None:
    odd = mark(0, 3, "PER")
    odd["value"]["labels"] = [{"name": "PER"}]
    write("train.jsonl", [build_task([mark(0, 3, "PER")], [odd])])

    dataset = load(annotators="agreed")

    assert list_mentions(dataset) == [[]]
    assert dataset.stats["splits"]["train"]["noticed"]["not_agreed"] == 2


def test_a_task_without_an_annotation_teaches_nothing(load, write) -> None:
    skipped = {**build_task([]), "annotations": [{"was_cancelled": True, "result": []}]}
    write("train.json", json.dumps([build_task([mark(0, 3, "PER")]), skipped, build_task()]))

    dataset = load()

    assert [row.reason for row in dataset.quarantine] == [
        "item 2: nobody has annotated the task",
        "item 3: nobody has annotated the task",
    ]


@pytest.mark.parametrize(
    ("controls", "label", "reason"),
    [
        (("tone",), "pos", ""),
        (("topic", "sentiment"), "pos", ""),
        (("topic", "tone"), None, "choices in the controls 'topic', 'tone'"),
    ],
)
def test_of_several_choices_the_control_with_a_usual_name_labels_the_post(
    load, write, controls: tuple[str, ...], label: str | None, reason: str
) -> None:
    values = ["pos"] if len(controls) == 1 else ["sport", "pos"]
    choices = [
        {"type": "choices", "from_name": name, "value": {"choices": [value]}}
        for name, value in zip(controls, values, strict=True)
    ]
    of_a_region = {"type": "choices", "from_name": "size", "value": {"start": 0, "end": 3, "choices": ["big"]}}
    write("train.json", json.dumps([build_task([mark(0, 3, "PER"), of_a_region, *choices])]))

    dataset = load(require_train=False)

    assert [post.label for post in dataset.posts["train"]] == ([label] if label else [])
    assert [row.reason for row in dataset.quarantine if reason not in row.reason] == []
    assert len(dataset.quarantine) == bool(reason)


def test_remarks_about_a_mention_are_no_mentions(load, write) -> None:
    remark = {"id": "0PER", "type": "textarea", "value": {"start": 0, "end": 3, "text": ["hm"]}}
    rating = {"id": "0PER", "type": "rating", "value": {"start": 0, "end": 3, "rating": 4}}
    write("train.json", json.dumps([build_task([mark(0, 3, "PER"), remark, rating])]))

    assert list_mentions(load()) == [[("Ada", "PER")]]


@pytest.mark.parametrize(("offsets", "is_read"), [({"start": 0, "end": 3}, True), (None, False)])
def test_mentions_in_html_are_read_where_they_say_their_place_in_the_text(load, write, offsets, is_read) -> None:
    element = {"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 0, "endOffset": 3}
    value = {**element, "globalOffsets": offsets, "text": "Ada", "hypertextlabels": ["PER"]}
    write("train.json", json.dumps([build_task([{"id": "a", "type": "hypertextlabels", "value": value}])]))

    dataset = load(require_train=False)

    assert list_mentions(dataset) == [[("Ada", "PER")]] * is_read
    assert ["says nothing of the whole text" in row.reason for row in dataset.quarantine] == [True] * (not is_read)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/1/0a1b2c3d-tower%20bridge.jpg", "0a1b2c3d-tower bridge.jpg"),
        ("http://localhost:8080/data/upload/0a1b2c3d-a.jpg", "0a1b2c3d-a.jpg"),
        ("/data/local-files/?d=pictures/a.jpg", "pictures/a.jpg"),
        ("images/a.jpg", "images/a.jpg"),
    ],
)
def test_the_picture_of_a_task_is_the_file_behind_label_studio_s_address(load, write, address, name) -> None:
    write("train.json", json.dumps([build_task([mark(0, 3, "PER")], data={"text": TEXT, "image": address})]))

    assert [post.image for post in load().posts["train"]] == [name]


def test_several_choices_in_json_min_cost_the_row(load, write) -> None:
    row = {"id": 1, "text": TEXT, "sentiment": {"choices": ["a", "b"]}, "annotator": 1, "annotation_id": 2}
    write("train.json", json.dumps([row]))

    (problem,) = load(require_train=False).quarantine

    assert "has the labels 'a', 'b'" in problem.reason


@pytest.mark.parametrize(
    ("fields", "responses", "reason"),
    [
        ({"title": "Ada", "body": "Ada waves"}, {}, "has the texts title, body"),
        ({"text": "Ada waves"}, {"topics": [{"value": ["a", "b"], "user_id": "u"}]}, "has the labels 'a', 'b'"),
    ],
)
def test_what_argilla_leaves_open_costs_the_record(load, write, fields, responses, reason) -> None:
    spans = [{"value": [{"start": 0, "end": 3, "label": "PER"}], "user_id": "u"}]
    write("train.json", json.dumps([{"id": "1", "fields": fields, "responses": {"spans": spans, **responses}}]))

    (problem,) = load(require_train=False).quarantine

    assert reason in problem.reason


def test_a_label_beside_spans_is_read_from_a_question_with_several(load, write) -> None:
    spans = {"value": [{"start": 0, "end": 3, "label": "PER"}], "user_id": "u"}
    responses = {"topics": [{"value": ["calm"], "user_id": "u"}], "spans": [spans]}
    write("train.json", json.dumps([{"id": "1", "fields": {"text": "Ada waves"}, "responses": responses}]))

    (post,) = load().posts["train"]

    assert (post.label, len(post.entities)) == ("calm", 1)


def test_texts_that_are_annotated_in_different_ways_are_named(load, write) -> None:
    spans = [[{"start": 0, "end": 3, "label": "PER"}], []]
    rows = [{"text": "Ada waves", "spans": marks, "answer": "accept", "_input_hash": 1} for marks in spans]
    write("train.jsonl", [*rows, {"text": "Bob", "spans": [], "answer": "accept"}])

    (warning,) = load().stats["warnings"]

    assert warning.startswith(
        "train: 1 text occurs several times, annotated differently; the first again in train.jsonl:2"
    )
