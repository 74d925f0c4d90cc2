"""The validate step where too much fails: what failed is kept, and the message says where."""

import pytest

from cotpd.config import Params
from cotpd.data.records import Answer, Caption, Kind, Knowledge, Quarantined
from cotpd.data.tables import read_table, write_table
from cotpd.errors import ValidationError
from cotpd.pipeline.workspace import Workspace
from steps import validate
from tests.builders import build_posts

GOOD = "Acme, a firm that builds rockets, is based in Rome, the capital of Italy."


@pytest.fixture
def tables(root, tmp_path, monkeypatch):
    """Posts with captions that hold, and answers of which half are empty."""
    (tmp_path / "expectations").symlink_to(root / "expectations")
    monkeypatch.chdir(tmp_path)
    posts = build_posts(6)
    workspace = Workspace()
    write_table(workspace.locate_posts("train"), posts)
    write_table(
        workspace.captions,
        [Caption(id=post.id, image="a.jpg", caption="a tower", backend="tags") for post in posts],
    )
    texts = [GOOD if number % 2 else "" for number in range(len(posts))]
    answers = [
        Answer(id=post.id, kind=Kind.NOUN, text=text, source="llm", finish_reason="stop")
        for post, text in zip(posts, texts, strict=True)
    ]
    write_table(workspace.answers, answers)
    return tmp_path


def test_of_several_answers_each_that_fails_is_set_aside_and_the_row_holds_the_others(tables):
    other = "Acme, a firm that builds rockets, was founded in Rome."
    draws = [
        Answer(id="p0", kind=Kind.NOUN, text=text, source="llm", finish_reason="stop", draw=draw)
        for draw, text in enumerate((GOOD, "", other))
    ]
    write_table(Workspace().answers, draws)

    validate.run(Params.model_validate({"validate": {"max_failed_share": 0.5}}))

    [knowledge] = read_table(Workspace().validated / "knowledge.jsonl", Knowledge)
    [failed] = read_table(Workspace().validated / "quarantine.jsonl", Quarantined)
    assert (knowledge.text, knowledge.answers) == (GOOD, (GOOD, other))
    assert (failed.id, failed.row["draw"]) == ("p0", 1)


def test_a_failing_validation_leaves_its_quarantine_and_names_the_reports(tables):
    with pytest.raises(ValidationError) as caught:
        validate.run(Params())

    rows = read_table(Workspace().validated / "quarantine.jsonl", Quarantined)
    assert [row.id for row in rows] == ["p0", "p2", "p4"]
    assert all(row.reason for row in rows)
    assert (Workspace().checks / "index.html").is_file()
    assert "3 of 6 answers failed" in caught.value.problem
    for name in (
        "data/validated/quarantine.jsonl",
        "reports/checks/index.html",
        "raise validate.max_failed_share",
    ):
        assert name in caught.value.remedy
