"""The plan: it counts what the steps would ask, and sends nothing."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params, load_params
from cotpd.data.records import Kind
from cotpd.errors import DataError, LlmError
from cotpd.knowledge.retry import build_retry_params
from cotpd.llm.ask import ask_all
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.llm.question import Question
from cotpd.pipeline.plan import Plan, learn_rates, make_plan
from cotpd.pipeline.planned_questions import iterate_questions, replace_kinds
from cotpd.pipeline.workspace import Workspace
from steps import ask as ask_step
from steps import caption as caption_step
from steps import extract, prepare, validate
from tests.batch_server import BatchApi
from tests.builders import write_jsonl

ROOT = Path(__file__).parents[2]
EXTRAS: tuple[dict[str, Any], ...] = ({"caption": "a city"}, {}, {"knowledge": {"noun": "Leeds: a city."}})
POSTS = [
    {
        "id": f"p{number}",
        "text": f"Anna {number} saw Leeds",
        "entities": [{"start": 0, "end": 4, "type": "PER"}],
        **extra,
    }
    for number, extra in enumerate(EXTRAS)
]


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Three posts to train on: one with a caption, one that brings an answer along."""
    monkeypatch.chdir(tmp_path)
    write_posts(POSTS)
    sections = {
        "data": {"path": "posts"},
        "caption": {"backend": "dataset"},
        "llm": {"ledger": "ledger.db", "recorded": None, "base_url": "http://unreachable.invalid/v1"},
        "augment": {"share": 1.0},
    }
    return Params.model_validate(sections)


def write_posts(rows: Iterable[dict[str, Any]]) -> None:
    write_jsonl(Path("posts/train.jsonl"), rows)


def write_params(params: Params) -> None:
    """Write params.yaml; JSON is YAML."""
    Path("params.yaml").write_text(json.dumps(params.model_dump(mode="json", by_alias=True)))


def change_llm(params: Params, **values: Any) -> Params:
    return params.model_copy(update={"llm": params.llm.model_copy(update=values)})


def build_entry(question: Question, params: Params, text: str = "Leeds: a city.") -> Entry:
    """Build the ledger's entry of an answer of 16 tokens, which took 2.5 seconds."""
    request = question.build_request(params.llm)
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 16}
    body = {"model": params.llm.model, "choices": [choice], "usage": usage}
    return Entry.from_response(request, json.dumps(body), latency=2.5)


def build_example(params: Params, kind: Kind) -> Question:
    """Build the first question of a kind."""
    return next(planned.question for planned in iterate_questions(params) if planned.question.kind is kind)


def run_plan(*arguments: str) -> str:
    """Run `cotpd plan` and return its output."""
    result = CliRunner().invoke(app, ["plan", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


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


def test_rates_are_learnt_from_the_answers_of_the_model(params):
    with Ledger(params.llm.ledger) as ledger:
        ledger.put(build_entry(build_example(params, Kind.SENTENCE), params))

        rates, rates_of_another = learn_rates(ledger, params.llm.model), learn_rates(ledger, "another")

    assert (rates.answers, rates.seconds) == (1, 2.5)
    assert rates_of_another.answers == 0


def test_the_duration_follows_from_the_rates_and_from_the_limits(params):
    with Ledger(params.llm.ledger) as ledger:
        ledger.put(build_entry(build_example(params, Kind.SENTENCE), params))
    slow = change_llm(params, requests_per_minute=1)

    plan = make_plan(params)

    requests = sum(row.asked for row in plan.kinds.values())
    assert plan.estimate_seconds(params.llm) == pytest.approx(requests * 2.5 / params.llm.concurrency)
    assert plan.estimate_seconds(slow.llm) == requests * 60


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

    assert "1 requests are in one, and are not asked" in run_plan()


def test_an_answer_without_counted_tokens_teaches_nothing(params):
    uncounted = replace(build_entry(build_example(params, Kind.NOUN), params), prompt_tokens="n/a")
    counted = build_entry(build_example(params, Kind.SENTENCE), params)
    with Ledger(params.llm.ledger) as ledger:
        ledger.put_many([uncounted, counted])

        rates = learn_rates(ledger, params.llm.model)

    assert rates.answers == 1


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


def test_without_a_price_there_is_no_cost(params):
    assert make_plan(params).estimate_cost() is None


def test_the_highest_cost_is_above_the_probable_one(params):
    plan = make_plan(change_llm(params, model="gpt-4o-mini"))

    assert 0 < plan.estimate_cost() < plan.estimate_cost(at_most=True)


def test_a_batch_is_planned_at_half_the_price(params):
    live = make_plan(change_llm(params, model="gpt-4o-mini"))
    batch = make_plan(change_llm(params, model="gpt-4o-mini", mode="batch"))

    assert batch.estimate_cost() == pytest.approx(live.estimate_cost() / 2)


def test_the_command_names_the_source_of_the_price(params):
    write_params(change_llm(params, model="gpt-4o-mini", mode="batch"))

    output = run_plan()

    assert "halved for batch mode: https://" in output
    assert "within a day" in output


def test_a_kind_that_came_with_the_data_is_shown_with_nothing_to_ask(params):
    write_posts(post | {"knowledge": {"noun": "Leeds: a city."}} for post in POSTS)

    plan = make_plan(params)

    assert plan.kinds[Kind.NOUN].requests == 0
    assert list(plan.kinds) == [kind for kind in Kind if kind in plan.kinds], "in one order, whatever was drawn"


def test_kinds_can_be_chosen_that_the_parameters_leave_out(params):
    silent = replace_kinds(params, [])

    assert make_plan(silent) == Plan(picture_tokens=765)
    assert set(make_plan(silent, [Kind.IMAGE, Kind.NOUN]).kinds) == {Kind.IMAGE, Kind.NOUN}


def test_the_labels_that_the_model_alone_is_asked_for_are_counted_with_tokens_and_cost(params):
    write_jsonl(
        Path("posts/test.jsonl"), [{**row, "id": f"t{row['id']}", "text": f"{row['text']} !"} for row in POSTS]
    )
    settings = {"llm_row": params.llm_row.model_copy(update={"enabled": True, "shots": 2})}
    priced = change_llm(params, model="gpt-4o-mini").model_copy(update=settings)

    plan = make_plan(priced)

    row = plan.kinds[Kind.EXTRACT]
    assert (row.requests, row.asked, row.most) == (6, 6, 6 * 160)
    assert row.prompt_tokens > 0
    silent = make_plan(priced.model_copy(update={"llm_row": params.llm_row}))
    assert plan.estimate_cost() > silent.estimate_cost()
    assert Kind.EXTRACT not in silent.kinds


def test_each_of_several_answers_is_counted_and_paid_for(params):
    priced = change_llm(params, model="gpt-4o-mini")
    several = priced.model_copy(update={"ask": priced.ask.model_copy(update={"answers": 3})})

    single, triple = make_plan(priced, [Kind.NOUN]), make_plan(several, [Kind.NOUN])

    assert (single.kinds[Kind.NOUN].asked, triple.kinds[Kind.NOUN].asked) == (2, 6)
    assert triple.estimate_cost() == pytest.approx(3 * single.estimate_cost())


def ask_again(params: Params, times: int) -> Params:
    return params.model_copy(update={"validate_": params.validate_.model_copy(update={"reask": times})})


def test_answers_that_may_be_asked_for_again_raise_the_highest_cost_alone(params):
    priced = change_llm(params, model="gpt-4o-mini")

    once, thrice = make_plan(priced, [Kind.NOUN]), make_plan(ask_again(priced, 2), [Kind.NOUN])

    assert (thrice.kinds[Kind.NOUN].asked, thrice.kinds[Kind.NOUN].retries) == (2, 2 * 2)
    assert thrice.estimate_cost() == once.estimate_cost()
    assert thrice.estimate_cost(at_most=True) == pytest.approx(3 * once.estimate_cost(at_most=True))


def test_of_the_answers_in_the_ledger_those_that_fail_their_checks_may_be_asked_for_again(params):
    again = ask_again(params, 2)
    [holding, failing] = [row.question for row in iterate_questions(params) if row.question.kind is Kind.NOUN]
    retried = change_llm(params, **build_retry_params(params.llm, 1).model_dump(include={"seed", "temperature"}))
    entries = [build_entry(holding, params), build_entry(failing, params, "I'm sorry, I cannot help with that.")]
    retries = []
    for entry in (*entries, build_entry(failing, retried)):
        with Ledger(params.llm.ledger) as ledger:
            ledger.put(entry)

        retries.append(make_plan(again, [Kind.NOUN]).kinds[Kind.NOUN].retries)

    assert retries == [2, 2, 0]  # of an answer that is not there, of one that fails, of a retry that holds


def test_the_command_names_the_answers_that_may_be_asked_for_again(params):
    write_params(ask_again(params, 1))

    output = run_plan("--no-prompts", "--kind", "noun")

    assert "retries   2 more at most, if every answer fails its checks (validate.reask)" in output


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


def test_a_post_that_the_plan_shows_steers_no_terminal(params):
    write_posts([POSTS[0] | {"text": f"{POSTS[0]['text']} \x1b[2J"}, *POSTS[1:]])
    write_params(params)

    output = run_plan("--kind", "sentence")

    assert "Leeds \N{REPLACEMENT CHARACTER}[2J" in output


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A project folder with the sample and the parameters as they ship."""
    monkeypatch.chdir(tmp_path)
    for name in ("sample", "params.yaml"):
        Path(name).symlink_to(ROOT / name)


@pytest.mark.usefixtures("sample")
def test_the_command_shows_each_kind_a_prompt_and_all_estimates_for_the_sample():
    output = run_plan("--all")

    headings = ("to ask", "duration", "limits", "[system]", "<post>", "on this machine, which costs nothing")
    assert [part for part in (*Kind, *headings) if part not in output] == []


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(("task", "rows"), [("ner", 2 * 103), ("re", 2 * 68), ("sentiment", 2 * 103)])
def test_the_ledger_that_comes_with_the_sample_answers_both_rows_of_the_model_alone(task, rows):
    params = load_params().model_copy(update={"task": task})

    plan = make_plan(params, [Kind.EXTRACT])

    row = plan.kinds[Kind.EXTRACT]
    assert (row.requests, row.answered) == (rows, rows)


@pytest.mark.usefixtures("sample")
def test_the_ledger_that_comes_with_the_sample_answers_all_of_it():
    values = json.loads(run_plan("--json", "--kind", "noun"))

    assert values["kinds"]["noun"] == {
        "requests": 298,
        "in_ledger": 298,
        "in_batches": 0,
        "to_ask": 0,
        "pictures": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "completion_tokens_at_most": 0,
        "retries_at_most": 0,
    }


@pytest.mark.parametrize(
    ("changes", "trainings", "line"),
    [
        ({"distil": {"way": "joint"}, "teach": {"folds": 5}}, 0, None),
        ({"distil": {"way": "frozen"}}, 1, None),
        ({"distil": {"way": "frozen"}, "teach": {"folds": 1, "count": 2}}, 2, None),
        (
            {"distil": {"way": "frozen"}, "teach": {"folds": 5, "count": 2}},
            10,
            "10 trainings on 4 of 5 folds each (teach.folds): as long as 8 teachers of all posts",
        ),
        (
            {"distil": {"way": "frozen"}, "teach": {"folds": 3}, "control": {"enabled": True}},
            6,
            "6 trainings on 2 of 3 folds each (teach.folds), those of the control included: as long as 4 teachers",
        ),
    ],
)
def test_the_cost_of_cross_fitted_teachers_is_said(params: Params, changes, trainings, line) -> None:
    write_params(Params.model_validate(params.model_dump(by_alias=True) | changes))

    text = CliRunner().invoke(app, ["plan", "--no-prompts"]).stdout
    plan = json.loads(CliRunner().invoke(app, ["plan", "--json"]).stdout)

    assert plan["teacher_trainings"] == trainings
    assert ("teachers  " in text) == bool(line)
    assert not line or line in text
