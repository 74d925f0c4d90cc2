"""Several models: each asked the same at its own address, and kept apart in the ledger."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import load_params
from cotpd.errors import ConfigError
from cotpd.llm.ask import ask_all
from cotpd.llm.backends import list_backends
from cotpd.llm.params import LlmParams
from cotpd.pipeline.planned_questions import iterate_questions
from tests.chat_server import FakeServer, build_error

ANNA = {"start": 0, "end": 4, "type": "PER"}
POSTS = [{"id": f"p{n}", "text": f"Anna {n} saw Leeds", "entities": [ANNA]} for n in range(3)]


@pytest.fixture
def second():
    fake = FakeServer()
    yield fake
    fake.close()


@pytest.fixture
def folder(tmp_path, monkeypatch, server, second, params):
    """A project of three posts and two models at two addresses, each with a key of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "first-secret")
    monkeypatch.setenv("SECOND_KEY", "second-secret")
    Path("posts").mkdir()
    Path("posts/train.jsonl").write_text("".join(json.dumps(post) + "\n" for post in POSTS))
    second_model = {"model": "two", "base_url": second.base_url, "api_key_env": "SECOND_KEY"}
    llm = {"model": "one", "base_url": server.base_url, "ledger": "ledger.db", "recorded": None, "retries": 0}
    sections = {"data": {"path": "posts"}, "llm": {**llm, "others": [second_model]}, "ask": {"kinds": ["noun"]}}
    Path("params.yaml").write_text(yaml.safe_dump({**sections, "augment": {"kinds": []}}))
    return tmp_path


def run(*args: str):
    return CliRunner().invoke(app, ["ask", *args])


def test_each_model_is_asked_at_its_address_with_its_key_and_once(folder, server, second):
    result = run()

    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"{name}: 3 requests: 0 answered from the ledger, 3 asked, 0 failed" for name in ("one", "two")
    ]
    for fake, name, key in ((server, "one", "first"), (second, "two", "second")):
        assert {body["model"] for body in fake.received} == {name}
        assert {headers["authorization"] for headers in fake.headers} == {f"Bearer {key}-secret"}

    again = run()

    assert again.output.count("3 answered from the ledger, 0 asked") == 2
    assert b"secret" not in b"".join(path.read_bytes() for path in folder.glob("ledger.db*"))


def test_the_pipeline_takes_the_answers_of_the_model_that_it_is_told(folder, server, second):
    run()
    params = load_params()
    requests = [planned.question for planned in iterate_questions(params)]
    second_llm = params.llm.model_copy(update={"model": "two", "base_url": params.llm.others[0].base_url})
    server.close()
    second.close()

    first_result, second_result = (ask_all(requests, llm, progress=False) for llm in (params.llm, second_llm))

    assert first_result.from_server == second_result.from_server == 0
    assert not {row.key for row in first_result.answers} & {row.key for row in second_result.answers}


def test_a_model_that_cannot_be_asked_does_not_stop_the_others(folder, server, second):
    server.always = build_error(401)

    result = run()

    assert result.exit_code == 1
    assert "two: 3 requests: 0 answered from the ledger, 3 asked, 0 failed" in result.output
    assert "one: " in result.output
    assert "OPENAI_API_KEY" in result.output


def test_a_model_without_a_price_does_not_stop_the_others_where_dollars_are_limited(folder, server, second):
    """The first, abroad, has no price; the second is on this machine."""
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["llm"] |= {"max_cost": 1.0, "base_url": "https://llm.invalid/v1"}
    Path("params.yaml").write_text(yaml.safe_dump(values))

    result = run()

    assert result.exit_code == 1
    assert "one: llm.max_cost: no price is known for one" in result.output
    assert "two: 3 requests: 0 answered from the ledger, 3 asked, 0 failed" in result.output


def test_ctrl_c_ends_it_with_a_word(folder, server, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cotpd.cli.ask.ask_questions", interrupt)

    result = run()

    assert result.exit_code == 130
    assert "interrupted; what was answered is in the ledger" in result.output


def test_only_the_models_and_kinds_that_are_named(folder, server, second):
    result = run("--model", "two", "--kind", "sentence", "--kind", "noun")

    assert result.exit_code == 0, result.output
    assert (len(server.received), len(second.received)) == (0, 6)


def test_nothing_is_asked_about_captions_that_are_still_to_be_made(folder, server):
    rows = [post | {"image": "p.jpg"} for post in POSTS]
    Path("posts/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    result = run("--kind", "multimodality")

    assert isinstance(result.exception, ConfigError)
    assert "3 posts have no caption" in str(result.exception)
    assert server.received == []


def test_the_plan_of_another_model_is_that_of_its_own_answers(folder):
    run("--model", "two")

    outputs = [CliRunner().invoke(app, ["plan", "--json", "--model", name]).output for name in ("one", "two")]

    assert [json.loads(output)["kinds"]["noun"]["in_ledger"] for output in outputs] == [0, 3]


def test_others_share_all_but_name_address_and_key():
    llm = LlmParams.model_validate({"model": "a", "temperature": 0.7, "others": [{"model": "b"}]})

    first, second = list_backends(llm)

    assert second == first.model_copy(update={"model": "b"})
    assert (first.model, first.others) == ("a", ())


def test_no_key_goes_to_another_address_unless_it_is_named_for_it(folder, server, second):
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("api_key_env: SECOND_KEY", "api_key_env: null"))
    second.always = build_error(401)

    result = run()

    assert not any("secret" in headers.get("authorization", "") for headers in second.headers)
    assert "api_key_env" in result.output


@pytest.mark.parametrize(("models", "names", "message"), [(["a"], None, "twice"), (["b"], ["c"], "a, b")])
def test_a_name_that_is_there_twice_or_not_at_all_is_refused(models, names, message):
    llm = LlmParams.model_validate({"model": "a", "others": [{"model": name} for name in models]})

    with pytest.raises(ConfigError) as caught:
        list_backends(llm, names)

    assert message in str(caught.value)
