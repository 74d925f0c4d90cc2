"""Records for Argilla: suggestions with scores and agent, gold as responses, as `records.from_json` reads them."""

import json
from pathlib import Path

from cotpd.annotation.annotated_posts import AnnotatedPost, Annotation, Mark, convert_post
from cotpd.annotation.argilla_records import build_record, write_argilla
from tests.builders import build_post


def test_suggestions_carry_a_score_for_each_span_and_the_agent() -> None:
    suggested = Annotation((Mark(0, 3, "PER", 0.9), Mark(11, 17, "LOC", 0.4)))
    post = AnnotatedPost("7", "Ada visits London", predicted=suggested, model="cotpd-ner 3")

    record = build_record(post)

    assert record["id"] == "7"
    assert record["fields"] == {"text": "Ada visits London"}
    suggestion = record["suggestions"]["spans"]
    assert suggestion["value"][0] == {"start": 0, "end": 3, "label": "PER"}
    assert (suggestion["score"], suggestion["agent"]) == ([0.9, 0.4], "cotpd-ner 3")
    assert record["responses"] == {}


def test_gold_is_a_response_and_metadata_is_flat() -> None:
    post = build_post("[Ada](PER) waves", id="7", image="7.jpg", knowledge={"noun": "Ada is a name."})

    record = build_record(convert_post(post))

    assert record["responses"]["spans"][0]["value"] == [{"start": 0, "end": 3, "label": "PER"}]
    assert record["metadata"] == {"image": "7.jpg", "knowledge_noun": "Ada is a name."}


def test_relations_and_the_label_of_a_post_answer_questions_of_their_own() -> None:
    annotation = Annotation(label="positive", label_score=0.8)
    post = AnnotatedPost("7", "a fine day", predicted=annotation)

    suggestions = build_record(post)["suggestions"]

    assert suggestions["label"] == {"value": "positive", "score": 0.8, "agent": "cotpd"}


def test_the_file_is_one_list_with_a_record_a_line(tmp_path: Path) -> None:
    posts = [convert_post(build_post("[Ada](PER) visits [Rome](LOC)", relations=[(0, 1, "visits")]))]

    count = write_argilla(posts, tmp_path / "records.json")

    (record,) = json.loads((tmp_path / "records.json").read_text("utf-8"))
    assert count == 1
    assert json.loads(record["responses"]["relations"][0]["value"]) == ["visits", 0, 1, "Ada -> Rome"]
