"""The plan of the sample as the command prints it."""

import json
from pathlib import Path

import pytest

from cotpd.config import load_params
from cotpd.data.records import Kind
from cotpd.pipeline.plan import make_plan
from tests.pipeline.planned_project import (
    POSTS,
    run_plan,
    write_params,
    write_posts,
)

ROOT = Path(__file__).parents[2]


def test_a_post_that_the_plan_shows_steers_no_terminal(params):
    write_posts([POSTS[0] | {"text": f"{POSTS[0]['text']} \x1b[2J"}, *POSTS[1:]])
    write_params(params)

    output = run_plan("--kind", "sentence")

    assert "Leeds \N{REPLACEMENT CHARACTER}[2J" in output


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A project folder with the sample and the parameters as they ship."""
    monkeypatch.chdir(tmp_path)
    for name in ("sample", "params.yaml"):
        Path(name).symlink_to(ROOT / name)


@pytest.mark.usefixtures("sample")
def test_the_command_shows_each_kind_a_prompt_and_all_estimates_for_the_sample():
    output = run_plan("--all")

    headings = ("to ask", "duration", "limits", "[system]", "<post>", "on this machine, which costs nothing")
    assert [part for part in (*Kind, *headings) if part not in output] == []


@pytest.mark.usefixtures("sample")
@pytest.mark.parametrize(("task", "rows"), [("ner", 2 * 103), ("re", 2 * 68), ("sentiment", 2 * 103)])
def test_the_ledger_that_comes_with_the_sample_answers_both_rows_of_the_model_alone(task, rows):
    params = load_params().model_copy(update={"task": task})

    plan = make_plan(params, [Kind.EXTRACT])

    row = plan.kinds[Kind.EXTRACT]
    assert (row.requests, row.answered) == (rows, rows)


@pytest.mark.usefixtures("sample")
def test_the_ledger_that_comes_with_the_sample_answers_all_of_it():
    values = json.loads(run_plan("--json", "--kind", "noun"))

    assert values["kinds"]["noun"] == {
        "requests": 298,
        "in_ledger": 298,
        "in_batches": 0,
        "to_ask": 0,
        "pictures": 0,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "completion_tokens_at_most": 0,
        "retries_at_most": 0,
    }
