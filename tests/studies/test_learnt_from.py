"""What cells learn from, and the price of an answer by the ledger and the price file."""

import pytest

from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.data.tables import write_table
from cotpd.pipeline.workspace import Workspace
from cotpd.studies.inputs import Sources
from cotpd.studies.learnt_from import count_inputs, describe_input, estimate_answer_price
from cotpd.studies.study import read_study

MODEL = "qwen2.5-coder-1.5b-instruct"  # whose recorded answers come with the sample


@pytest.mark.parametrize(
    ("cell", "counts", "sees"),
    [
        ({"model": "baseline"}, (12, 0, 0), "text"),
        ({"model": "teacher"}, (12, 0, 36), "text, caption, answers"),
        ({"model": "teacher", "data": {"kinds": []}}, (12, 0, 0), "text, caption"),
        ({"model": "teacher", "data": {"caption": False}}, (12, 0, 36), "text, answers"),
        ({"model": "student"}, (12, 4, 48), "text"),
        ({"model": "student", "reads": "caption"}, (12, 4, 48), "text, caption"),
        ({"model": "student", "data": {"labels": 0.5, "remainder": "unlabelled"}}, (6, 10, 48), "text"),
        ({"model": "student", "data": {"labels": 0.5, "kinds": ["noun"]}}, (6, 4, 10), "text"),
        ({"model": "control"}, (12, 4, 0), "text"),
    ],
)
def test_posts_and_answers_are_counted_and_the_input_is_put_into_words(
    project, params, write_study, cell, counts, sees
):
    named = read_study(write_study(cells=[{"name": "a", **cell}]), params)

    assert count_inputs(named.study, named.study.cells[0], params, Sources("ner")) == counts
    assert describe_input(named.study, named.study.cells[0]) == sees


def test_each_of_several_answers_to_a_question_counts(project, params, write_study):
    named = read_study(write_study(cells=[{"name": "a", "data": {"kinds": ["noun"]}}]), params)
    several = params.model_copy(update={"ask": params.ask.model_copy(update={"answers": 3})})

    counts = count_inputs(named.study, named.study.cells[0], several, Sources("ner"))

    assert counts.answers == 3 * 16


def test_an_answer_that_came_with_the_data_counts_once(project, params, write_study):
    posts = [post.model_copy(update={"knowledge": {Kind.NOUN: "a"}}) for post in Workspace().read_posts("train")]
    write_table(Workspace().locate_posts("train"), posts)
    named = read_study(write_study(cells=[{"name": "a", "data": {"kinds": ["noun"]}}]), params)
    several = params.model_copy(update={"ask": params.ask.model_copy(update={"answers": 3})})

    counts = count_inputs(named.study, named.study.cells[0], several, Sources("ner"))

    assert counts.answers == 12 + 3 * 4


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, "nothing"),
        ({"base_url": "https://llm.example/v1"}, "unknown"),
        ({"base_url": "https://llm.example/v1", "prices": "prices.yaml"}, "some"),
        ({"base_url": "https://llm.example/v1", "model": "gpt-4o"}, "unknown"),  # it has answered nothing
    ],
)
def test_an_answer_costs_what_ledger_and_price_file_say(root, tmp_path, monkeypatch, changes, expected):
    monkeypatch.chdir(tmp_path)
    prices = f"source: here\nchecked: 2026-01-01\nmodels:\n  {MODEL}: {{input: 1.0, output: 2.0}}\n"
    (tmp_path / "prices.yaml").write_text(prices, "utf-8")
    llm = {"model": MODEL, "recorded": str(root / "sample/ledger.jsonl")}
    params = Params.model_validate({"data": {"path": "sample"}, "llm": llm | changes})

    price = estimate_answer_price(params)

    assert {"nothing": price == 0, "unknown": price is None, "some": bool(price and 0 < price < 0.01)}[expected]
