"""Tasks for Label Studio: what a person marked and what a model suggests, in the shape that the tool documents."""

import json
from pathlib import Path

from cotpd.annotation.annotated_posts import AnnotatedPost, Annotation, Link, Mark, convert_post, read_prediction
from cotpd.annotation.label_studio_tasks import build_task, write_label_studio
from tests.builders import build_post


def test_gold_becomes_an_annotation_with_regions_and_relations() -> None:
    post = build_post("[Ada](PER) visits [London](LOC)", id="7", relations=[(0, 1, "visits")], image="7.jpg")

    task = build_task(convert_post(post))

    assert task["data"] == {"id": "7", "text": "Ada visits London", "image": "7.jpg"}
    first, second, relation = task["annotations"][0]["result"]
    assert first["value"] == {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
    assert (relation["from_id"], relation["to_id"], relation["labels"]) == (first["id"], second["id"], ["visits"])
    assert "predictions" not in task


def test_suggestions_carry_scores_and_the_model_that_made_them() -> None:
    suggested = Annotation((Mark(0, 3, "PER", 0.9), Mark(11, 17, "LOC", 0.4)))
    post = AnnotatedPost("7", "Ada visits London", predicted=suggested, model="cotpd-ner 3")

    task = build_task(post)

    prediction = task["predictions"][0]
    assert prediction["model_version"] == "cotpd-ner 3"
    assert prediction["score"] == 0.4
    assert [region["score"] for region in prediction["result"]] == [0.9, 0.4]
    assert "annotations" not in task


def test_the_label_of_a_post_is_a_choice() -> None:
    post = AnnotatedPost("7", "a fine day", predicted=read_prediction({"label": "positive", "score": 0.8}))

    (choice,) = build_task(post)["predictions"][0]["result"]

    assert (choice["type"], choice["value"], choice["score"]) == ("choices", {"choices": ["positive"]}, 0.8)


def test_a_predicted_pair_becomes_two_regions_and_their_relation() -> None:
    row = {"head": [0, 3], "tail": [11, 17], "label": "visits", "score": 0.7}

    annotation = read_prediction(row)

    assert [mark[:2] for mark in annotation.marks] == [(0, 3), (11, 17)]
    assert annotation.links == (Link(0, 1, "visits", 0.7),)


def test_the_file_is_one_list_with_a_task_a_line(tmp_path: Path) -> None:
    posts = [convert_post(build_post("[Ada](PER) waves 👋", id=str(number))) for number in range(3)]

    count = write_label_studio(posts, tmp_path / "tasks.json")

    tasks = json.loads((tmp_path / "tasks.json").read_text("utf-8"))
    assert count == len(tasks) == 3
    assert tasks[2]["data"]["text"] == "Ada waves 👋"


def test_no_posts_are_an_empty_list(tmp_path: Path) -> None:
    write_label_studio([], tmp_path / "tasks.json")

    assert json.loads((tmp_path / "tasks.json").read_text("utf-8")) == []
