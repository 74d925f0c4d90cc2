"""The plan: it counts what the steps would ask, and sends nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.errors import DataError, LlmError
from cotpd.llm.ask import ask_all
from cotpd.llm.chat_request import build_chat_request
from cotpd.llm.ledger.ledger import Entry, Ledger
from cotpd.llm.question import Question
from cotpd.pipeline.plan import Plan, learn_rates, make_plan, with_kinds
from tests.llm.batch_server import BatchApi

ROOT = Path(__file__).parents[2]
POSTS = [
    {"id": f"p{n}", "text": f"Anna {n} saw Leeds", "entities": [{"start": 0, "end": 4, "type": "PER"}], **extra}
    for n, extra in enumerate([{"caption": "a city"}, {}, {"knowledge": {"noun": "Leeds: a city."}}])
]


@pytest.fixture
def params(tmp_path, monkeypatch) -> Params:
    """Three posts to train on: one with a caption, one that brings an answer along."""
    monkeypatch.chdir(tmp_path)
    Path("posts").mkdir()
    Path("posts/train.jsonl").write_text("".join(json.dumps(post) + "\n" for post in POSTS))
    sections = {
        "data": {"path": "posts"},
        "caption": {"backend": "dataset"},
        "llm": {"ledger": "ledger.db", "recorded": None, "base_url": "http://unreachable.invalid/v1"},
        "augment": {"share": 1.0},
    }
    return Params.model_validate(sections)


def answer(request: Question, params: Params) -> Entry:
    call = build_chat_request(params.llm, request.messages, max_tokens=request.max_tokens, schema=request.schema)
    said = {"message": {"role": "assistant", "content": "Leeds: a city."}, "finish_reason": "stop"}
    body = {"model": params.llm.model, "choices": [said], "usage": {"prompt_tokens": 100, "completion_tokens": 16}}
    return Entry.from_response(call, json.dumps(body), latency=2.5)


def test_nothing_is_planned_for_a_task_that_the_data_is_not_annotated_for(params):
    with pytest.raises(DataError, match=r"posts: no training post is annotated for task re.*\n.*Set task: ner"):
        make_plan(params.model_copy(update={"task": "re"}))


def test_it_counts_by_kind_what_is_not_brought_along_or_lacks_a_caption(params):
    plan = make_plan(params)
    counted = {kind: row.requests for kind, row in plan.kinds.items()}
    assert counted[Kind.NOUN] == 2
    assert counted[Kind.SENTENCE] == 3
    assert counted[Kind.MULTIMODALITY] == 1
    assert counted[Kind.STYLE] == counted[Kind.IMAGE] == 3
    assert counted[Kind.ENTITY] == 0, "Anna is the only mention: there is nothing to swap it for"
    assert all(row.asked == row.requests for row in plan.kinds.values())
    assert all(bool(row.prompt_tokens) == bool(row.requests) for row in plan.kinds.values())


def test_what_the_ledger_answers_is_not_asked_and_teaches_the_estimate(params):
    before = make_plan(params)
    with Ledger(params.llm.ledger) as ledger:
        ledger.put(answer(before.kinds[Kind.SENTENCE].example, params))
        rates = learn_rates(ledger, params.llm.model)
        assert learn_rates(ledger, "another").answers == 0
    assert (rates.answers, rates.seconds) == (1, 2.5)
    after = make_plan(params)
    assert (after.kinds[Kind.SENTENCE].answered, after.kinds[Kind.SENTENCE].asked) == (1, 2)
    asked = sum(row.asked for row in after.kinds.values())
    assert after.seconds(params) == pytest.approx(asked * 2.5 / params.llm.concurrency)
    slow = params.model_copy(update={"llm": params.llm.model_copy(update={"requests_per_minute": 1})})
    assert after.seconds(slow) == asked * 60


def test_what_is_in_a_batch_is_not_asked_again(params):
    server = BatchApi()
    server.looks = 10**6
    llm = params.llm.model_copy(update={"base_url": server.base_url, "mode": "batch", "batch_wait": 0})
    params = params.model_copy(update={"llm": llm})
    before = make_plan(params)
    with pytest.raises(LlmError, match="still being worked on"):
        ask_all([before.kinds[Kind.SENTENCE].example], llm, progress=False)
    after = make_plan(params)
    assert (after.kinds[Kind.SENTENCE].batched, after.kinds[Kind.SENTENCE].asked) == (1, 2)
    assert after.kinds[Kind.SENTENCE].most == before.kinds[Kind.SENTENCE].most * 2 / 3
    Path("params.yaml").write_text(json.dumps(params.model_dump(mode="json", by_alias=True)))
    assert "1 requests are in one, and are not asked" in CliRunner().invoke(app, ["plan"]).output
    server.close()


def test_counts_that_are_none_teach_nothing(params):
    first, second = (make_plan(params).kinds[kind].example for kind in (Kind.NOUN, Kind.SENTENCE))
    with Ledger(params.llm.ledger) as ledger:
        ledger.put_many([replace(answer(first, params), prompt_tokens="n/a"), answer(second, params)])
        assert learn_rates(ledger, params.llm.model).answers == 1


def test_captions_still_to_be_made_are_counted_and_said(params):
    rows = [post | {"image": f"{post['id']}.jpg", "caption": None} for post in POSTS]
    Path("posts/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tagged = params.model_copy(update={"caption": params.caption.model_copy(update={"backend": "tags"})})
    row = make_plan(tagged).kinds[Kind.MULTIMODALITY]
    assert (row.requests, row.guessed) == (3, 3)


def test_pictures_that_are_shown_are_counted_by_their_own_tokens(params):
    rows = [post | {"image": "p.png"} for post in POSTS]
    Path("posts/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Image.new("RGB", (40, 30), "red").save("posts/p.png")
    llm = params.llm.model_copy(update={"vision": True, "picture_tokens": 1000})
    plan = make_plan(params.model_copy(update={"llm": llm}))
    row = plan.kinds[Kind.MULTIMODALITY]
    assert (row.requests, row.pictures, row.guessed) == (3, 3, 0)
    plain = llm.model_copy(update={"picture_tokens": 0})
    bare = make_plan(params.model_copy(update={"llm": plain})).kinds[Kind.MULTIMODALITY]
    assert row.prompt_tokens - bare.prompt_tokens == pytest.approx(3000)
    assert bare.prompt_tokens < 1500, "a data URL is not counted by its characters"
    assert all(other.pictures == 0 for kind, other in plan.kinds.items() if kind is not Kind.MULTIMODALITY)


def test_without_a_price_there_is_no_cost_and_with_one_the_most_is_no_less(params):
    assert make_plan(params).cost() is None
    priced = params.model_copy(update={"llm": params.llm.model_copy(update={"model": "gpt-4o-mini"})})
    plan = make_plan(priced)
    assert 0 < plan.cost() < plan.cost(at_most=True)


def test_a_batch_is_planned_at_half_the_price_and_the_price_says_where_it_is_from(params, tmp_path):
    llm = params.llm.model_copy(update={"model": "gpt-4o-mini"})
    live = make_plan(params.model_copy(update={"llm": llm})).cost()
    batch = make_plan(params.model_copy(update={"llm": llm.model_copy(update={"mode": "batch"})})).cost()
    assert batch == pytest.approx(live / 2)
    sections = params.model_dump(by_alias=True, mode="json") | {"llm": llm.model_dump() | {"mode": "batch"}}
    Path("params.yaml").write_text(json.dumps(sections | {"llm": sections["llm"] | {"others": []}}))
    said = CliRunner().invoke(app, ["plan"]).output
    assert "halved for batch mode: https://" in said
    assert "within a day" in said


def test_a_kind_that_came_with_the_data_is_shown_with_nothing_to_ask(params):
    rows = [post | {"knowledge": {"noun": "Leeds: a city."}} for post in POSTS]
    Path("posts/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = make_plan(params)
    assert plan.kinds[Kind.NOUN].requests == 0
    assert list(plan.kinds) == [kind for kind in Kind if kind in plan.kinds], "in one order, whatever was drawn"


def test_kinds_can_be_chosen_that_the_parameters_leave_out(params):
    quiet = with_kinds(params, set())
    assert make_plan(quiet) == Plan(rates=make_plan(quiet).rates, picture_tokens=765)
    assert set(make_plan(quiet, [Kind.IMAGE, Kind.NOUN]).kinds) == {Kind.IMAGE, Kind.NOUN}


def test_a_post_that_the_plan_shows_steers_no_terminal(params, monkeypatch):
    monkeypatch.setattr("cotpd.cli.plan.load_params", lambda path: params)
    rows = [json.loads(line) for line in Path("posts/train.jsonl").read_text().splitlines()]
    rows[0]["text"] += " \x1b[2J"
    Path("posts/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    said = CliRunner().invoke(app, ["plan", "--kind", "sentence"])
    assert "Leeds \N{REPLACEMENT CHARACTER}[2J" in said.output


def test_the_command_says_it_all_for_the_sample(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("sample", "params.yaml"):
        Path(name).symlink_to(ROOT / name)
    said = CliRunner().invoke(app, ["plan", "--all"])
    assert said.exit_code == 0, said.output
    for part in (
        *Kind,
        "to ask",
        "duration",
        "limits",
        "[system]",
        "<post>",
        "on this machine, which costs nothing",
    ):
        assert part in said.output
    values = json.loads(CliRunner().invoke(app, ["plan", "--json", "--kind", "noun"]).output)
    assert values["kinds"]["noun"] == {
        "requests": 298,
        "in_ledger": 298,
        "in_batches": 0,
        "to_ask": 0,
        "pictures": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "completion_tokens_at_most": 0,
    }
