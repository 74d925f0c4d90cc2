"""The extract step, and the rows that evaluate makes of its table."""

import json
from itertools import chain

import pytest

from cotpd.config import Params
from cotpd.data.records import FEW_SHOT, ZERO_SHOT, Caption, Extracted, Quarantined
from cotpd.data.tables import read_table, write_table
from cotpd.errors import DataError, ValidationError
from cotpd.pipeline.workspace import BEYOND_LIMIT, Workspace
from steps import baseline, evaluate, extract, train
from tests.builders import build_posts, write_prepared_tables
from tests.chat_server import build_completion, build_reply

RUN = {"epochs": 1, "device": "cpu", "bf16": "off"}
GOOD = '{"mentions": [{"text": "ann", "type": "PER"}, {"text": "bob", "type": "PER"}]}'


@pytest.fixture
def project(tmp_path, root, monkeypatch):
    """Twelve posts to learn from and six to be tested on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COTPD_CACHE", str(tmp_path / "cache"))
    (tmp_path / "expectations").symlink_to(root / "expectations")
    posts = build_posts(18)
    write_prepared_tables(tmp_path, {"train": posts[:12], "test": posts[12:]})
    return Workspace()


def build_params(encoder, llm_params, **llm_row) -> Params:
    sections = {
        "student": {"encoder": str(encoder), "prompt_length": 2, "generator_heads": 2},
        "baseline": RUN,
        "train": RUN,
        "llm": llm_params.model_dump(),
        "llm_row": llm_row,
        "evaluate": {"device": "cpu"},
    }
    return Params.model_validate(sections)


def test_switched_off_it_asks_nothing_and_adds_no_row(project, encoder, server, llm_params):
    extract.run(build_params(encoder, llm_params))

    assert read_table(project.extracted / "extracted.jsonl", Extracted) == []
    assert server.received == []


def test_recorded_answers_are_scored_and_a_row_that_lacks_one_is_left_out(
    project, encoder, server, llm_params, capsys
):
    server.always = build_reply(build_completion(GOOD))
    extract.run(build_params(encoder, llm_params, enabled=True, shots=0))
    count = len(server.received)

    extract.run(build_params(encoder, llm_params, enabled="recorded", shots=2))

    assert len(server.received) == count
    rows = {row.row for row in read_table(project.extracted / "extracted.jsonl", Extracted)}
    assert rows == {ZERO_SHOT}
    assert "llm: not all of its answers are recorded, so it is left out" in capsys.readouterr().err


def test_a_limit_changes_no_question(project, encoder, server, llm_params):
    params = build_params(encoder, llm_params, enabled=True, shots=2)
    server.always = build_reply(build_completion(GOOD))
    extract.run(params)
    count = len(server.received)
    posts = Workspace().read_posts("train")
    write_table(project.locate_posts("train"), posts[:4])
    write_table(project.locate_posts(BEYOND_LIMIT), posts[4:])

    extract.run(params)

    assert len(server.received) == count


def test_where_captions_are_shown_each_shot_has_one(project, encoder, llm_params):
    posts = Workspace().read_posts("train")
    captioned = [*posts[:4], *Workspace().read_posts("test")]
    captions = [Caption(id=post.id, image="a", caption="a tower", backend="tags") for post in captioned]
    write_table(project.validated / "captions.jsonl", captions)
    write_table(project.locate_posts("train"), posts[:4])
    write_table(project.locate_posts(BEYOND_LIMIT), posts[4:])
    params = build_params(encoder, llm_params, enabled=True, zero_shot=False, shots=8, caption=True)

    questions = extract.list_questions(Workspace(), params)

    messages = list(chain.from_iterable(question.question.messages for question in questions))
    shown = [str(message) for message in messages if message["role"] == "user"]
    assert len(shown) > len(questions) == 6  # shots, too
    assert all("a tower" in message for message in shown)


def test_the_model_alone_is_scored_beside_the_student(project, encoder, server, llm_params):
    params = build_params(encoder, llm_params, enabled=True, shots=2)
    server.always = build_reply(build_completion(GOOD))

    for step in (baseline, train, extract, evaluate):
        step.run(params)

    table = read_table(project.extracted / "extracted.jsonl", Extracted)
    assert [row.row for row in table] == [ZERO_SHOT] * 6 + [FEW_SHOT] * 6
    metrics = json.loads(project.metrics.read_text("utf-8"))["test"]
    assert {FEW_SHOT, ZERO_SHOT, "llm_gain", "llm_zero_shot_gain"} <= set(metrics)
    scores = json.loads(project.scores.read_text("utf-8"))["test"]
    assert scores[FEW_SHOT]["per_type"]["PER"]["f1"] == 1.0
    assert scores["llm_gain"]["low"] <= scores["llm_gain"]["f1"] <= scores["llm_gain"]["high"]
    quarantine = read_table(project.extracted / "quarantine.jsonl", Quarantined)
    assert len(quarantine) == 12  # of ann and bob one is in each post
    assert quarantine[0] in Workspace().read_quarantine()


def test_too_many_failures_leave_their_quarantine(project, encoder, server, llm_params):
    server.always = build_reply(build_completion("no idea"))

    with pytest.raises(ValidationError, match="6 of 6 answers cannot be used") as caught:
        extract.run(build_params(encoder, llm_params, enabled=True))

    assert "data/extracted/quarantine.jsonl" in caught.value.remedy
    assert len(read_table(project.extracted / "quarantine.jsonl", Quarantined)) == 6


def test_a_table_of_other_posts_is_refused_by_name(project, encoder, llm_params):
    params = build_params(encoder, llm_params)
    for step in (baseline, train):
        step.run(params)
    write_table(project.extracted / "extracted.jsonl", [Extracted(id="old", split="test", row=FEW_SHOT)])

    with pytest.raises(DataError, match=r"no answer about p12 \(test\)"):
        evaluate.run(params)
