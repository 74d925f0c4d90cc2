"""Values of other kinds than tools write: each costs its row, and is named."""

import json
from typing import Any

import pytest

from tests.data.tool_rows import build_doccano, build_task, list_mentions, mark


def test_a_damaged_head_of_webanno_tsv_costs_its_relations_alone(load, write) -> None:
    head = "#FORMAT=WebAnno TSV 3.3\n#T_SP=webanno.custom.Name|value\n#T_RL=damaged\n\n\n"
    write("train.tsv", head + "#Text=Ada waves\n1-1\t0-3\tAda\tPER\t_\n1-2\t4-9\twaves\t_\t_\n")

    assert list_mentions(load()) == [[("Ada", "PER")]]


LONDON = "Ada visits London"


SPAN = {"start": 0, "end": 3, "label": "PER"}


ODD_ROWS: dict[str, tuple[Any, str]] = {
    "label-studio id": (
        build_task([mark(0, 3, "PER") | {"id": ["a"]}]),
        "the id of a mention is ",
    ),
    "label-studio relation": (
        build_task([mark(0, 3, "PER"), {"type": "relation", "from_id": ["a"], "to_id": "0PER", "labels": ["x"]}]),
        "which is no mention",
    ),
    "doccano id": (
        {"id": 1, "text": LONDON, "entities": [{"id": [0], "start_offset": 0, "end_offset": 3, "label": "PER"}]},
        "the id of a mention is ",
    ),
    "prodigy start": ({"text": LONDON, "spans": [SPAN | {"start": [0]}], "answer": "accept"}, "start"),
    "prodigy label": ({"text": LONDON, "spans": [SPAN | {"label": ["PER"]}], "answer": "accept"}, "not a word"),
    "prodigy options": ({"text": LONDON, "accept": ["a", "b"], "answer": "accept"}, "has the labels 'a', 'b'"),
    "spacy score": ({"text": LONDON, "ents": [], "cats": {"a": "yes"}}, "the score of 'a' is 'yes'"),
    "spacy options": ({"text": LONDON, "ents": [], "cats": {"a": 1, "b": 1}}, "has the labels 'a', 'b'"),
}


@pytest.mark.parametrize("name", ODD_ROWS)
def test_a_value_of_another_kind_than_tools_write_costs_its_row(load, write, name: str) -> None:
    row, reason = ODD_ROWS[name]
    write("train.jsonl", [row, row])

    problems = load(require_train=False).quarantine

    assert [problem.line for problem in problems] == [1, 2]
    assert all(reason in problem.reason for problem in problems)


@pytest.mark.parametrize("label", [[], ["positive"], [[0, 3, "PER"]]])
def test_doccano_rows_with_tokens_among_their_metadata_are_doccano_s(load, write, label: list[Any]) -> None:
    write("train.jsonl", [build_doccano(1, label=label, tokens=["Ada", "visits", "London", "1"], Comments=[])])

    dataset = load()

    assert dataset.stats["format"] == "doccano"
    assert not dataset.quarantine


@pytest.mark.parametrize("label", ["pos", ["pos"]])
def test_doccano_s_label_of_a_post_is_read_in_a_list_and_by_itself(load, write, label: Any) -> None:
    write("train.jsonl", [{"id": 1, "text": "Ada visits London", "label": label}])

    dataset = load(format="doccano")

    assert [(post.label, post.entities) for post in dataset.posts["train"]] == [("pos", ())]


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -1, 10**400, "1"])
def test_a_score_of_spacy_s_that_is_no_probability_costs_its_row(load, write, score: Any) -> None:
    write("train.json", json.dumps([{"text": "Ada", "ents": [], "cats": {"pos": score}}]))

    dataset = load(require_train=False)

    assert [row.remedy for row in dataset.quarantine] == ["Write numbers from 0 to 1."]
