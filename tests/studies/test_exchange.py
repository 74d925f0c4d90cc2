"""What unlabelled posts are worth in labels, and what a point of F1 costs: checked by hand."""

import math
from dataclasses import replace

import pytest

from cotpd.config import Params
from cotpd.llm.ledger.ledger import Ledger
from cotpd.student.tasks import RePrediction
from cotpd.studies.exchange import compute_exchanges
from cotpd.studies.inputs import Sources
from cotpd.studies.learnt_from import count_inputs, estimate_answer_price
from cotpd.studies.study import Study, read_study
from cotpd.studies.verdict import CellResult, judge
from tests.chat_server import build_entry

MODEL = "some-model"
URL = "https://llm.example/v1"
CURVE = {0.1: (10, 0.40), 0.4: (40, 0.60), 1.0: (100, 0.70)}  # labels, F1


def build_study(**last) -> tuple[Study, list[CellResult]]:
    """Build a study of a curve over labels, and its rows; the last cell has 10 labels and the other posts."""
    cells = [{"name": f"{share}", "data": {"labels": share}} for share in CURVE]
    cells.append({"name": "more", "data": {"labels": 0.1, "remainder": "unlabelled"}} | last)
    study = Study.model_validate({"question": "?", "cells": cells})
    rows = [
        CellResult(name=f"{share}", model="student", sees="text", labelled=labels, answers=3 * labels, f1={1: f1})
        for share, (labels, f1) in CURVE.items()
    ]
    return study, rows


def build_last_row(f1):
    return CellResult(
        name="more", model="student", sees="text", labelled=10, unlabelled=90, answers=300, f1={1: f1}
    )


@pytest.mark.parametrize(
    ("f1", "labels"),
    [
        (0.40, 0),
        (0.30, 0),
        (0.60, 30),
        (0.50, 10 * math.sqrt(4) - 10),  # half-way from 10 to 40 on a logarithmic scale
        (0.65, 40 * math.sqrt(2.5) - 10),
        (0.70, 90),
        (0.71, None),
    ],
)
def test_the_labels_that_give_the_same_f1_are_read_off_the_curve(f1, labels):
    study, rows = build_study()

    [exchange] = compute_exchanges(study, [*rows, build_last_row(f1)], 0.002)

    assert exchange.labels == (None if labels is None else pytest.approx(labels))
    assert (exchange.cell, exchange.labelled, exchange.posts) == ("more", 10, 90)
    assert exchange.dollars == pytest.approx(270 * 0.002)


@pytest.mark.parametrize(
    "last",
    [{"model": "control"}, {"params": {"distil.alpha": 2.0}}, {"data": {"labels": 0.1, "caption": False}}],
)
def test_a_cell_is_only_compared_with_cells_that_differ_in_labels_alone(last):
    study, rows = build_study(**last)

    assert compute_exchanges(study, [*rows, build_last_row(0.6)], None) == []


def test_a_cell_without_figures_or_without_a_larger_share_has_no_exchange():
    study, rows = build_study()

    assert compute_exchanges(study, rows, None) == []
    assert compute_exchanges(study, [rows[0], build_last_row(0.6)], None) == []


@pytest.fixture
def priced(tmp_path, params) -> tuple[Params, list[str]]:
    """Parameters with a ledger of two answers about posts, and their keys.

    It also holds a cheap answer to another question, and one whose tokens were not counted.
    """
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        f"source: x\nchecked: 2026-01-01\nmodels:\n  {MODEL}: {{input: 1.0, output: 2.0}}\n", "utf-8"
    )
    llm = {"model": MODEL, "base_url": URL, "recorded": None, "prices": str(prices)}
    llm["ledger"] = str(tmp_path / "ledger.db")
    tokens = {"a": (1000, 100), "b": (3000, 300), "c": (10, 1), "d": (None, None)}
    entries = [
        replace(build_entry(text, model=MODEL, base_url=URL), prompt_tokens=sent, completion_tokens=received)
        for text, (sent, received) in tokens.items()
    ]
    with Ledger(llm["ledger"]) as ledger:
        ledger.put_many(entries)
    section = Params.model_validate({"llm": llm}).llm
    return params.model_copy(update={"llm": section}), [entry.key for entry in entries[:2]]


PRICE = (1000 * 1.0 + 100 * 2.0 + 3000 * 1.0 + 300 * 2.0) / 2 / 1_000_000  # dollars: 0.0024


def test_an_answer_costs_the_mean_of_those_about_the_posts(priced):
    params, keys = priced

    assert estimate_answer_price(params, keys) == pytest.approx(PRICE)


def test_without_known_keys_all_answers_of_the_model_with_counted_tokens_are_averaged(priced):
    params, _ = priced

    assert estimate_answer_price(params) == pytest.approx((2 * PRICE + 12 / 1_000_000) / 3)
    assert estimate_answer_price(params, ["of another ledger"]) == estimate_answer_price(params)


def test_answers_that_came_with_the_data_have_no_known_price(priced):
    params, _ = priced

    assert estimate_answer_price(params, []) is None


def build_predictions(right_count):
    labels = ["r"] * right_count + ["s"] * (60 - right_count)
    return [
        RePrediction(id=f"{post}#0", split="test", model="student", gold=["r"], predicted=[label, 0.9])
        for post, label in enumerate(labels)
    ]


def test_data_efficiency_says_what_a_point_of_f1_costs(project, priced):
    params, keys = priced
    named = read_study("data-efficiency", params)
    first, second = "student, 50 % and the other posts unlabelled", "student, 50 % of the labels"
    sources, rows = Sources("ner"), []
    for cell in named.study.cells:
        counts = count_inputs(named.study, cell, params, sources)
        rows.append(CellResult(name=cell.name, model=cell.model, sees="text", f1={1: 0.5}, **counts._asdict()))
    answers = {row.name: row.answers for row in rows}
    tables = {first: {1: build_predictions(50)}, second: {1: build_predictions(30)}}

    verdicts = judge(named.study, rows, tables, seed=1, answer_price=estimate_answer_price(params, keys))

    assert (answers[first], answers[second]) == (16 * 3, 10 * 3)  # twelve training posts and four unlabelled ones
    points = 100 * (50 / 60 - 30 / 60)
    assert verdicts[0].first == first
    assert verdicts[0].dollars == pytest.approx(18 * PRICE / points, abs=1e-6)
