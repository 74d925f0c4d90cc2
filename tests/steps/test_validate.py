"""The validate step where too much fails: what failed is kept, and the message says where."""

import pytest

from cotpd.config import Params
from cotpd.data.records import Answer, Caption, Kind, Quarantined
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
