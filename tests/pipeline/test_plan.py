"""The plan: it counts what the steps would ask, and sends nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.errors import DataError, LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.ledger import Ledger
from cotpd.pipeline.plan import Plan, make_plan
from cotpd.pipeline.planned_questions import iterate_questions, replace_kinds
from cotpd.pipeline.workspace import Workspace
from steps import ask as ask_step
from steps import caption as caption_step
from steps import extract, prepare, validate
from tests.batch_server import BatchApi
from tests.builders import write_jsonl
from tests.pipeline.planned_project import (
    POSTS,
    build_entry,
    build_example,
    change_llm,
    run_plan,
    write_params,
    write_posts,
)


def test_nothing_is_planned_for_a_task_that_the_data_is_not_annotated_for(params):
    with pytest.raises(DataError, match=r"posts: no training post is annotated for task re.*\n.*Set task: ner"):
        make_plan(params.model_copy(update={"task": "re"}))


def test_questions_are_counted_by_kind_without_brought_knowledge_and_missing_captions(params):
    plan = make_plan(params)

    assert {kind: row.requests for kind, row in plan.kinds.items()} == {
        Kind.NOUN: 2,
        Kind.SENTENCE: 3,
        Kind.MULTIMODALITY: 1,
        Kind.STYLE: 3,
        Kind.ENTITY: 0,  # Anna is the only mention: there is nothing to swap it for
        Kind.IMAGE: 3,
    }
    assert all(row.asked == row.requests for row in plan.kinds.values())
    assert all(bool(row.prompt_tokens) == bool(row.requests) for row in plan.kinds.values())


def test_an_answer_in_the_ledger_is_not_asked_for(params):
    with Ledger(params.llm.ledger) as ledger:
        ledger.put(build_entry(build_example(params, Kind.SENTENCE), params))

    row = make_plan(params).kinds[Kind.SENTENCE]

    assert (row.answered, row.asked) == (1, 2)


@pytest.fixture
def batched(params: Params) -> Iterator[Params]:
    """Parameters of a batch server that holds one question about a sentence and does not answer."""
    server = BatchApi()
    server.looks = 10**6
    params = change_llm(params, base_url=server.base_url, mode="batch", batch_wait=0)
    with pytest.raises(LlmError, match="still being worked on"):
        ask_all([build_example(params, Kind.SENTENCE)], params.llm, progress=False)
    yield params
    server.close()


def test_a_request_in_a_batch_job_is_not_sent_again(batched):
    row = make_plan(batched).kinds[Kind.SENTENCE]

    assert (row.requests, row.batched, row.asked) == (3, 1, 2)
    assert row.most == 2 * build_example(batched, Kind.SENTENCE).max_tokens


def test_the_command_names_the_requests_in_batch_jobs(batched):
    write_params(batched)

    assert "1 request is in a job, and is not asked" in run_plan()


def test_captions_that_no_step_has_made_are_counted(params):
    write_posts(post | {"image": f"{post['id']}.jpg", "caption": None} for post in POSTS)
    tagged = params.model_copy(update={"caption": params.caption.model_copy(update={"backend": "tags"})})

    row = make_plan(tagged).kinds[Kind.MULTIMODALITY]

    assert (row.requests, row.guessed) == (3, 3)


def test_a_picture_counts_by_its_own_tokens_and_not_by_the_characters_of_its_data_url(params):
    write_posts(post | {"image": "p.png"} for post in POSTS)
    Image.new("RGB", (40, 30), "red").save("posts/p.png")

    plan = make_plan(change_llm(params, vision=True, picture_tokens=1000))
    plan_without_tokens = make_plan(change_llm(params, vision=True, picture_tokens=0))

    row, row_without_tokens = (each.kinds[Kind.MULTIMODALITY] for each in (plan, plan_without_tokens))
    assert (row.requests, row.pictures, row.guessed) == (3, 3, 0)
    assert row.prompt_tokens - row_without_tokens.prompt_tokens == pytest.approx(3000)
    assert row_without_tokens.prompt_tokens < 1500
    assert [kind for kind, row in plan.kinds.items() if row.pictures] == [Kind.MULTIMODALITY]


def test_a_kind_that_came_with_the_data_is_shown_with_nothing_to_ask(params):
    write_posts(post | {"knowledge": {"noun": "Leeds: a city."}} for post in POSTS)

    plan = make_plan(params)

    assert plan.kinds[Kind.NOUN].requests == 0
    assert list(plan.kinds) == [kind for kind in Kind if kind in plan.kinds], "in one order, whatever was drawn"


def test_kinds_can_be_chosen_that_the_parameters_leave_out(params):
    silent = replace_kinds(params, [])

    assert make_plan(silent) == Plan(picture_tokens=765)
    assert set(make_plan(silent, [Kind.IMAGE, Kind.NOUN]).kinds) == {Kind.IMAGE, Kind.NOUN}


@pytest.mark.parametrize(
    "caption", ["a city", " a \n city ", "I'm sorry, but I cannot describe this picture.", None]
)
def test_the_plan_shows_the_model_the_captions_that_the_extract_step_shows(params, caption):
    write_posts([row | {"image": "a.jpg"} for row in POSTS])
    held_out = {**POSTS[0], "id": "t", "text": "Anna left Leeds", "image": "a.jpg", "caption": caption}
    write_jsonl(Path("posts/test.jsonl"), [held_out])
    llm_row = params.llm_row.model_copy(update={"enabled": True, "caption": True, "shots": 2})
    showing = params.model_copy(
        update={
            "llm_row": llm_row,
            "ask": params.ask.model_copy(update={"kinds": ()}),
            "augment": params.augment.model_copy(update={"kinds": ()}),
            "validate_": params.validate_.model_copy(update={"max_failed_share": 1.0}),
        }
    )
    planned = [item.question.build_request(params.llm).key for item in iterate_questions(showing)]

    for step in (prepare, caption_step, ask_step, validate):
        step.run(showing)
    questions = [row.question for row in extract.list_questions(Workspace(), showing)]

    assert planned == [question.build_request(params.llm).key for question in questions]


def test_no_question_is_counted_about_a_post_that_lacks_the_label_of_the_task(params):
    rows = [{"id": f"p{n}", "text": f"post {n}", "label": label} for n, label in enumerate(("good", "bad"))]
    write_posts(rows)
    write_jsonl(Path("posts/test.jsonl"), [rows[0] | {"id": "t", "text": "new"}, {"id": "u", "text": "no label"}])
    rows_alone = {"enabled": True, "shots": 0}
    sections = {"task": "sentiment", "llm_row": params.llm_row.model_copy(update=rows_alone)}

    plan = make_plan(params.model_copy(update=sections))

    assert plan.kinds[Kind.EXTRACT].requests == 1
