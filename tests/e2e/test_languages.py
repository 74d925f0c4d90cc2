"""Posts without blanks, from files to a student's answers: what it learnt from, it finds in raw text."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cotpd.cli.main import app
from cotpd.config import Params
from cotpd.serving.limits import Limits
from cotpd.serving.served_version import load_version
from cotpd.serving.service import Service
from cotpd.student import Student
from steps import baseline, prepare
from tests.builders import read_markup, write_encoder, write_jsonl
from tests.serving.running_server import run_server

CHINESE = ("[李雷](PER)今天到[北京](LOC)开会", "[韩梅](PER)明天到[上海](LOC)开会", "我们明天开会")
THAI = ("[มานี](PER)ไป[เชียงใหม่](LOC)วันนี้", "[ปิติ](PER)ไป[กรุงเทพ](LOC)วันนี้", "เราไปวันนี้")


@contextmanager
def learn_posts(folder: Path, rows: list[dict[str, Any]]) -> Iterator[Path]:
    """Prepare rows and train on them by heart, in a folder that is the project's meanwhile."""
    write_jsonl(folder / "posts/train.jsonl", rows)
    signs = sorted(set("".join(row.get("text") or "".join(row["tokens"]) for row in rows)))
    write_encoder(folder / "encoder", "".join(signs))
    run = {"epochs": 40, "batch_size": 4, "learning_rate": 1e-2, "head_learning_rate": 3e-2, "device": "cpu"}
    params = {
        "data": {"path": "posts"},
        "student": {"encoder": "encoder", "prompt_length": 0, "dropout": 0},
        "baseline": run,
        "register": {"tracking_uri": f"sqlite:///{folder}/mlflow.db"},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare.run(Params.model_validate(params))
        baseline.run(Params.model_validate(params))
        yield folder / "models/baseline"


def build_rows(markups: tuple[str, ...]) -> list[dict[str, Any]]:
    rows = []
    for number, markup in enumerate(markups * 4):
        text, spans = read_markup(markup)
        entities = [{"start": start, "end": end, "type": label} for start, end, label in spans]
        rows.append({"id": str(number), "text": text, "entities": entities})
    return rows


def list_mentions(prediction: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entity["text"], entity["type"]) for entity in prediction["entities"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("markups", "rule"), [(CHINESE, "characters"), (THAI, "syllables")], ids=["Chinese", "Thai"]
)
def test_a_student_of_a_script_without_blanks_finds_its_mentions_in_raw_text(
    tmp_path: Path, markups: tuple[str, ...], rule: str
):
    text, spans = read_markup(markups[0])
    mentions = [(text[start:end], label) for start, end, label in spans]

    with learn_posts(tmp_path, build_rows(markups)) as folder:
        printed = CliRunner().invoke(app, ["predict", "--model", str(folder), "--json", text])
        with run_server(Service(load_version(str(folder), device="cpu"), Limits())) as server:
            served = server.predict({"text": text}).body

    assert json.loads((folder / "student.json").read_text("utf-8"))["words"]["rule"] == rule
    assert list_mentions(json.loads(printed.stdout)) == mentions
    assert list_mentions(served["predictions"][0]) == mentions
    assert [(entity["start"], entity["end"]) for entity in served["predictions"][0]["entities"]] == [
        span[:2] for span in spans
    ]


@pytest.mark.slow
def test_a_student_of_given_words_takes_words_and_warns_once_of_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tokens = ["李雷", "今天", "到", "北京", "开会"]
    entities = [{"start": 0, "end": 1, "type": "PER"}, {"start": 3, "end": 4, "type": "LOC"}]
    rows = [{"id": str(number), "tokens": tokens, "entities": entities} for number in range(8)]

    with learn_posts(tmp_path, rows) as folder:
        student = Student.from_pretrained(folder, "cpu")
        in_words, named = student.predict([tokens, {"tokens": tokens}])
        quiet = capsys.readouterr().err
        list(student.predict(["".join(tokens)]))
        list(student.predict(["".join(tokens)]))

    assert [(mention.start, mention.end, mention.text) for mention in in_words] == [(0, 1, "李雷"), (3, 4, "北京")]
    assert named == in_words
    assert "learnt from words" not in quiet
    assert capsys.readouterr().err.count("this student learnt from words that came with its data") == 1
