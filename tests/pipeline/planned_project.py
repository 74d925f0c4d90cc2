"""A project of three posts whose questions are planned, and what a ledger may hold of their answers."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.data.records import Kind
from cotpd.llm.ledger.entry import Entry
from cotpd.llm.question import Question
from cotpd.pipeline.planned_questions import iterate_questions
from tests.builders import write_jsonl

EXTRAS: tuple[dict[str, Any], ...] = ({"caption": "a city"}, {}, {"knowledge": {"noun": "Leeds: a city."}})
POSTS = [
    {
        "id": f"p{number}",
        "text": f"Anna {number} saw Leeds",
        "entities": [{"start": 0, "end": 4, "type": "PER"}],
        **extra,
    }
    for number, extra in enumerate(EXTRAS)
]


def write_posts(rows: Iterable[dict[str, Any]]) -> None:
    write_jsonl(Path("posts/train.jsonl"), rows)


def write_params(params: Params) -> None:
    """Write params.yaml; JSON is YAML."""
    Path("params.yaml").write_text(json.dumps(params.model_dump(mode="json", by_alias=True)))


def change_llm(params: Params, **values: Any) -> Params:
    return params.model_copy(update={"llm": params.llm.model_copy(update=values)})


def build_entry(question: Question, params: Params, text: str = "Leeds: a city.") -> Entry:
    """Build the ledger's entry of an answer of 16 tokens, which took 2.5 seconds."""
    request = question.build_request(params.llm)
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 16}
    body = {"model": params.llm.model, "choices": [choice], "usage": usage}
    return Entry.from_response(request, json.dumps(body), latency=2.5)


def build_example(params: Params, kind: Kind) -> Question:
    """Build the first question of a kind."""
    return next(planned.question for planned in iterate_questions(params) if planned.question.kind is kind)


def run_plan(*arguments: str) -> str:
    """Run `cotpd plan` and return its output."""
    result = CliRunner().invoke(app, ["plan", *arguments])
    assert result.exit_code == 0, result.output
    return result.output
