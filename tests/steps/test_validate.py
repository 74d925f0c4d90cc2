"""The validate step where too much fails: what failed is kept, and the message says where."""

import pytest

from cotpd.config import Params
from cotpd.data.records import Answer, Caption, Kind, Quarantined
from cotpd.data.tables import read_table, write_table
from cotpd.errors import ValidationError
from steps import validate
from steps.common import ANSWERS, CAPTIONS, CHECKS, PREPARED, VALIDATED
from tests.student.conftest import make_posts

GOOD = "Acme, a firm that builds rockets, is based in Rome, the capital of Italy."


@pytest.fixture
def tables(root, tmp_path, monkeypatch):
    """Posts with captions that hold, and answers of which half are empty."""
    (tmp_path / "expectations").symlink_to(root / "expectations")
    monkeypatch.chdir(tmp_path)
    posts = make_posts(6)
    write_table(PREPARED / "train.jsonl", posts)
    write_table(
        CAPTIONS, [Caption(id=post.id, image="a.jpg", caption="a tower", backend="tags") for post in posts]
    )
    texts = [GOOD if number % 2 else "" for number in range(len(posts))]
    answers = [
        Answer(id=post.id, kind=Kind.NOUN, text=text, source="llm", finish_reason="stop")
        for post, text in zip(posts, texts, strict=True)
    ]
    write_table(ANSWERS, answers)
    return tmp_path


def test_a_failing_validation_leaves_its_quarantine_and_names_the_reports(tables):
    with pytest.raises(ValidationError) as caught:
        validate.run(Params())

    rows = read_table(VALIDATED / "quarantine.jsonl", Quarantined)
    assert [row.id for row in rows] == ["p0", "p2", "p4"]
    assert all(row.reason for row in rows)
    assert (CHECKS / "index.html").is_file()
    assert "3 of 6 answers failed" in caught.value.problem
    for name in (
        "data/validated/quarantine.jsonl",
        "reports/checks/index.html",
        "raise validate.max_failed_share",
    ):
        assert name in caught.value.remedy
