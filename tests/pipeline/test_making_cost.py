"""What a student's answers cost, out of the ledger, for its model card."""

import pytest

from cotpd.config import Params
from cotpd.data.records import Answer, Kind
from cotpd.data.tables import write_table
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.ledger.ledger import Ledger
from cotpd.pipeline.making_cost import list_expenses
from cotpd.pipeline.workspace import Workspace
from tests.builders import build_posts

PRICES = "source: ours\nchecked: 2026-01-02\nmodels: {m: {input: 1000, output: 2000}}\n"
NO_AUGMENTATION = {"kinds": []}


@pytest.fixture
def workspace(tmp_path):
    """A project with three answers in its tables, one of the data set and two of the ledger, which has one more."""
    workspace = Workspace(tmp_path)
    write_table(workspace.locate_posts("train"), build_posts(2))
    answers = [Answer(id="p0", kind=Kind.NOUN, text="a", source="llm", key=key) for key in ("k1", "k2")]
    write_table(workspace.answers, [*answers, Answer(id="p1", kind=Kind.NOUN, text="b", source="dataset")])
    with Ledger(tmp_path / "ledger.db") as ledger:
        for key, received in (("k1", 50), ("k2", None), ("of another run", 7)):
            response = '{"choices": [{"message": {"content": "a"}}]}'
            ledger.put(
                Entry(key, "{}", response, finish_reason="stop", prompt_tokens=100, completion_tokens=received)
            )
    (tmp_path / "prices.yaml").write_text(PRICES)
    return workspace


def build_params(tmp_path, model="m", **changes):
    llm = {
        "base_url": "https://example.org/v1",
        "model": model,
        "ledger": str(tmp_path / "ledger.db"),
        "prices": str(tmp_path / "prices.yaml"),
    }
    return Params(llm=llm, augment=NO_AUGMENTATION, **changes)


def test_the_answers_of_this_run_alone_are_counted_and_priced(workspace, tmp_path):
    expenses = dict(list_expenses(workspace, build_params(tmp_path)))

    assert expenses == {
        "answers of the language model": "2 by m",
        "tokens, sent and received": "200 and 50",
        "dollars": "0.30 at the prices of 2026-01-02",
        "answers without a count of tokens": "1",
    }


def test_a_model_without_a_price_has_no_dollars_and_retries_are_named(workspace, tmp_path):
    expenses = dict(list_expenses(workspace, build_params(tmp_path, model="other", validate={"reask": 2})))

    assert expenses["dollars"] == "not known: no price of other"
    assert "up to 2 a question" in expenses["answers asked for again"]


def test_a_ledger_that_is_gone_and_a_missing_table_are_said(workspace, tmp_path):
    (tmp_path / "ledger.db").rename(tmp_path / "moved.db")
    gone = dict(list_expenses(workspace, build_params(tmp_path)))
    missing = dict(list_expenses(Workspace(tmp_path / "nowhere"), build_params(tmp_path)))

    assert "there is no ledger" in gone["language model"]
    assert missing["language model"].startswith("not known: ")
